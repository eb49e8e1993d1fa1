//! What a function writes, and where it ends up.

use std::sync::Arc;

use serde_json::json;

use crate::support::{World, event_for};

#[tokio::test(flavor = "multi_thread")]
async fn events_keep_their_order_and_their_lines_and_come_before_end() {
    let code = "
import logging, os, sys
logging.getLogger().setLevel(logging.INFO)
def handler(event, context):
    print('printed')
    logging.info('logged %s', 'two\\nlines')
    print('after', file=sys.stderr)
    context.log('from the context\\nas one')
    sys.stdout.write('no line end')
    os.system('echo from a child')
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let event = event_for(&function, "{}");
    let id = event.request_id;
    let Ok(outcome) = world.exec.invoke(&function, event).await else {
        return;
    };
    assert!(outcome.function_error.is_none(), "{:?}", outcome.payload);
    let mut log = world.recorded.log();
    // A host without the very version says so in between.
    log.retain(|line| !line.starts_with("[kagero] warning: "));
    let expected = [
        "INIT_START Runtime Version: python:",
        &format!("START RequestId: {id} Version: $LATEST\n"),
        "printed\n",
        "[INFO]\t20",
        "after\n",
        "from the context\nas one\n",
    ];
    for (line, expected) in log.iter().zip(expected) {
        assert!(
            line.starts_with(expected),
            "{line:?} is not {expected:?} in {log:?}"
        );
    }
    assert!(
        log[3].ends_with(&format!("Z\t{id}\tlogged two\nlines\n")),
        "{:?}",
        log[3]
    );
    let rest: Vec<_> = log[6..log.len() - 2].iter().map(String::as_str).collect();
    assert!(
        rest.contains(&"no line end\n") && rest.contains(&"from a child\n"),
        "{rest:?}"
    );
    assert_eq!(log[log.len() - 2], format!("END RequestId: {id}\n"));
    assert!(log[log.len() - 1].starts_with(&format!("REPORT RequestId: {id}\tDuration: ")));
    let stream = &world.recorded.streams()[0];
    let shape: String = stream
        .chars()
        .map(|c| {
            if c.is_ascii_hexdigit() && !c.is_ascii_uppercase() {
                'h'
            } else {
                c
            }
        })
        .collect();
    assert_eq!(shape, format!("hhhh/hh/hh/[$LATEST]{}", "h".repeat(32)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_a_group_of_several_functions_says_whose_it_is() {
    let world = World::new();
    let code = "def handler(event, context): pass";
    let mut function = world.function("python3.12", "app.handler", &[("app.py", code)]);
    function.log_group = String::from("/all/of/them");
    let name = function.key.name.clone();
    if world.run(&Arc::new(function), &json!({})).await.is_none() {
        return;
    }
    let stream = &world.recorded.streams()[0];
    let (date, rest) = stream.split_at("2026/11/30/".len());
    assert_eq!(date.matches('/').count(), 3, "{stream}");
    assert!(rest.starts_with(&format!("{name}[$LATEST]")), "{stream}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_bounded_and_says_what_was_dropped() {
    let code = "
import os
def handler(event, context):
    chunk = (b'x' * 99 + b'\\n') * 600
    for _ in range(1000):
        os.write(1, chunk)
    return 'survived'
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(outcome) = world.run(&function, &json!({})).await else {
        return;
    };
    assert_eq!(outcome.payload, "\"survived\"");
    let log = world.recorded.log();
    let kept = log.iter().filter(|line| line.starts_with("xxx")).count();
    let dropped: usize = log
        .iter()
        .filter_map(|line| {
            line.strip_prefix("[kagero] ")?
                .split(' ')
                .next()?
                .parse::<usize>()
                .ok()
        })
        .sum();
    assert_eq!(kept + dropped, 600_000);
    // 20 MB in one go, and 10 MB a second; an event counts 26 bytes beside its text.
    let allowed = 20.0 + 10.0 * outcome.duration.as_secs_f64();
    let taken = kept as f64 * 126.0 / f64::from(1 << 20);
    assert!(taken <= allowed * 1.1, "{taken} MB of {allowed} MB");
    let tail = outcome.log_tail.unwrap();
    assert!(tail.len() <= exec::LOG_TAIL_BYTES);
    assert!(tail.contains("\nEND RequestId: "));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_with_times_of_the_functions_own_are_bounded_too() {
    let code = "
import os, struct
def handler(event, context):
    at, text = 2 ** 42, b'x' * 60000
    for _ in range(1000):
        at += 10 ** 9
        os.write(4, struct.pack('<IIQ', 1, len(text), at) + text)
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(outcome) = world.run(&function, &json!({})).await else {
        return;
    };
    let log = world.recorded.log();
    let kept = log.iter().filter(|line| line.starts_with("xxx")).count();
    let allowed = 20.0 + 10.0 * outcome.duration.as_secs_f64();
    let taken = kept as f64 * 60_000.0 / f64::from(1 << 20);
    assert!(taken <= allowed * 1.1, "{taken} MB of {allowed} MB");
    let said = |line: &String| line.starts_with("[kagero] ") && line.contains("were dropped");
    // On a machine so busy that it took as long as the rate allows, nothing has to be dropped.
    assert!(kept == 1_000 || log.iter().any(said));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_and_short_lines_of_threads_and_processes_stay_whole() {
    let code = "
import logging, os, sys, threading
def write(text):
    for _ in range(10):
        sys.stdout.write(text * 200000 + '\\n')
        logging.warning(text * 20000)
        print('short')
def handler(event, context):
    threads = [threading.Thread(target=write, args=(text,)) for text in 'ab']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    child = os.fork()
    if child == 0:
        write('c')
        os._exit(0)
    for _ in range(1000):
        os.write(4, bytes((2, 0, 0, 0, 6)) + bytes(11) + b'short\\n')
    os.waitpid(child, 0)
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    let Some(outcome) = world.run(&function, &json!({})).await else {
        return;
    };
    assert!(outcome.function_error.is_none(), "{:?}", outcome.payload);
    let log = world.recorded.log();
    let strange = log
        .iter()
        .find(|line| line.contains(['\0', '\u{1}', '\u{2}', '\u{4}']));
    assert!(strange.is_none(), "{strange:?}");
    // Threads keep out of each other's lines.
    for text in ["a", "b"] {
        let line = text.repeat(200_000) + "\n";
        assert_eq!(log.iter().filter(|logged| **logged == line).count(), 10);
        let end = format!("\t{}\n", text.repeat(20_000));
        assert_eq!(
            log.iter().filter(|logged| logged.ends_with(&end)).count(),
            10
        );
    }
    let logged = |line: &&String| line.starts_with("[WARNING]\t") && line.ends_with("c\n");
    assert_eq!(log.iter().filter(logged).count(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_line_becomes_events_of_bounded_length() {
    let code = "
def handler(event, context):
    print('é' * 300000)
";
    let world = World::new();
    let function = Arc::new(world.function("python3.12", "app.handler", &[("app.py", code)]));
    if world.run(&function, &json!({})).await.is_none() {
        return;
    }
    let log = world.recorded.log();
    let pieces: Vec<_> = log.iter().filter(|line| line.starts_with('é')).collect();
    assert!(pieces.len() > 1 && pieces.iter().all(|piece| piece.len() <= 256 << 10));
    assert_eq!(
        pieces
            .iter()
            .map(|piece| piece.trim_end().len())
            .sum::<usize>(),
        600_000
    );
}
