//! Extensions through their lives, without processes.

use futures::FutureExt;

use super::*;

fn external(names: &[&str]) -> Extensions {
    let extensions = Extensions::default();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    extensions.expect(&names);
    extensions
}

const BOTH: [EventKind; 2] = [EventKind::Invoke, EventKind::Shutdown];

#[test]
fn an_init_waits_for_everybody() {
    let extensions = external(&["a", "b"]);
    let a = extensions.register("a", BOTH.to_vec()).unwrap();
    assert!(extensions.registered().now_or_never().is_none());
    let b = extensions.register("b", Vec::new()).unwrap();
    assert!(extensions.registered().now_or_never().is_some());
    let inside = extensions
        .register("inside", vec![EventKind::Invoke])
        .unwrap();
    assert!(extensions.ready().now_or_never().is_none());
    for id in [a, b, inside] {
        assert!(extensions.next(id).now_or_never().is_none());
    }
    assert!(extensions.ready().now_or_never().is_some());
    let late = extensions.register("late", Vec::new()).unwrap_err();
    assert_eq!(late.error_type, "Extension.RegistrationClosed");
}

#[test]
fn only_those_are_told_who_asked_and_all_of_them_are_waited_for() {
    let extensions = external(&["a", "b"]);
    let a = extensions.register("a", BOTH.to_vec()).unwrap();
    let b = extensions.register("b", vec![EventKind::Shutdown]).unwrap();
    assert!(extensions.next(a).now_or_never().is_none());
    assert!(extensions.next(b).now_or_never().is_none());
    extensions.tell(
        EventKind::Invoke,
        &Told::Invoke {
            request_id: base::RequestId::random(),
            deadline: Timestamp::from_millis(7),
            arn: "arn".to_owned(),
            trace: None,
        },
    );
    assert!(extensions.settled().now_or_never().is_none());
    let told = extensions.next(a).now_or_never().unwrap().unwrap();
    assert_eq!(told.document()["eventType"], "INVOKE");
    assert_eq!(told.document()["deadlineMs"], 7);
    assert!(extensions.next(b).now_or_never().is_none());
    assert!(extensions.settled().now_or_never().is_none());
    assert!(extensions.next(a).now_or_never().is_none());
    assert!(extensions.settled().now_or_never().is_some());

    extensions.shut_down(Reason::Timeout, Timestamp::from_millis(9));
    let told = extensions.next(b).now_or_never().unwrap().unwrap();
    assert_eq!(told.document()["shutdownReason"], "timeout");
    assert!(extensions.gone().now_or_never().is_none());
    for name in ["a", "b"] {
        extensions.ended(name, &Ended::Exited("exit code 0".to_owned()));
    }
    assert!(extensions.gone().now_or_never().is_some());
    assert!(extensions.failed().now_or_never().is_none());
}

#[test]
fn the_first_failure_counts() {
    let extensions = external(&["a"]);
    let a = extensions.register("a", Vec::new()).unwrap();
    extensions.report(a, Phase::InitError, "My.Reason").unwrap();
    extensions.ended("a", &Ended::Exited("exit status 1".to_owned()));
    let failure = extensions.failed().now_or_never().unwrap();
    assert_eq!(failure.error_type, "Extension.InitError");
    let refused = extensions.next(a).now_or_never().unwrap().unwrap_err();
    assert_eq!(refused.error_type, "Extension.InvalidExtensionState");

    let extensions = external(&["a"]);
    extensions.ended("a", &Ended::NotLaunched("permission denied"));
    let failure = extensions.failed().now_or_never().unwrap();
    assert_eq!(failure.error_type, "Extension.LaunchError");
    assert_eq!(
        failure.message,
        "fork/exec /opt/extensions/a: permission denied"
    );
}

#[test]
fn there_are_only_so_many_and_no_two_of_a_name() {
    let extensions = Extensions::default();
    for number in 0..MOST {
        extensions
            .register(&number.to_string(), Vec::new())
            .unwrap();
    }
    let refused = extensions.register("more", Vec::new()).unwrap_err();
    assert_eq!(refused.error_type, "Extension.TooManyExtensions");
    let again = extensions.register("1", Vec::new()).unwrap_err();
    assert_eq!(again.error_type, "Extension.InvalidExtensionState");
    let names: Vec<_> = (0..=MOST).map(|number| number.to_string()).collect();
    let extensions = Extensions::default();
    extensions.expect(&names);
    let failure = extensions.failed().now_or_never().unwrap();
    assert_eq!(failure.error_type, "Extension.LaunchError");
    let inside = Extensions::default()
        .register("i", BOTH.to_vec())
        .unwrap_err();
    assert_eq!(inside.error_type, "Extension.InvalidEventType");
}
