//! What the same machine does without Kagero, in the same run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::Tools;
use crate::statistics::Samples;

/// A program, started and ended, such as `python3.x -c pass`.
pub fn start(program: &str, arguments: &[&str], count: usize) -> anyhow::Result<Samples> {
    let samples = (0..count)
        .map(|_| {
            let began = Instant::now();
            Command::new(program)
                .args(arguments)
                .status()
                .with_context(|| format!("start {program}"))?;
            Ok(began.elapsed())
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Samples::new(samples))
}

/// The Rust function started bare, until its first response is in.
pub fn program(tools: &Tools) -> anyhow::Result<Duration> {
    let folder = tempfile::tempdir()?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    let began = Instant::now();
    let mut client = RuntimeClient::rust(tools, folder.path(), port)?;
    let mut reader = accept(&listener)?;
    read_request(&mut reader)?;
    answer_next(reader.get_mut())?;
    read_request(&mut reader)?;
    let took = began.elapsed();
    client.end();
    Ok(took)
}

/// Forks a Python interpreter so many times, one by one, each until the child has ended.
pub fn fork(tools: &Tools, count: usize) -> anyhow::Result<Samples> {
    let script = format!(
        "import os, time
for _ in range({count}):
    began = time.perf_counter_ns()
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    print(time.perf_counter_ns() - began)
"
    );
    Ok(Samples::new(nanoseconds(tools, &script)?))
}

/// An interpreter forks so many children that all live at once: until the last one has begun.
pub fn forks_at_once(tools: &Tools, count: usize) -> anyhow::Result<Duration> {
    let script = format!(
        "import os, signal, time
began, children = time.perf_counter_ns(), []
read, write = os.pipe()
for _ in range({count}):
    child = os.fork()
    if child == 0:
        os.write(write, b'x')
        time.sleep(30)
        os._exit(0)
    children.append(child)
seen = 0
while seen < {count}:
    seen += len(os.read(read, {count}))
print(time.perf_counter_ns() - began)
for child in children:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
"
    );
    nanoseconds(tools, &script)?.pop().context("no time")
}

fn nanoseconds(tools: &Tools, script: &str) -> anyhow::Result<Vec<Duration>> {
    let mut command = Command::new(&tools.python);
    let output = command.args(["-I", "-S", "-c", script]).output()?;
    anyhow::ensure!(output.status.success(), "a floor in Python failed");
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .map(|line| Ok(Duration::from_nanos(line.parse()?)))
        .collect()
}

/// The memory of an interpreter that sleeps, in KiB.
pub fn sleeping_kib(interpreter: &str) -> anyhow::Result<u64> {
    let script = "import time; print(flush=True); time.sleep(30)";
    let child = Command::new(interpreter)
        .args(["-c", script])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut client = RuntimeClient(child);
    let stdout = client.0.stdout.take().context("stdout is piped")?;
    BufReader::new(stdout).read_line(&mut String::new())?;
    crate::processes::proportional_kib(client.0.id())
}

/// What the client reaches with a server of threads that answer at once.
pub fn answering<T>(load: impl FnOnce(u16) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        while let Ok(mut caller) = accept(&listener) {
            std::thread::spawn(move || {
                // It ends with an error, because its caller hung up.
                while read_request(&mut caller).is_ok() && answer_null(&mut caller).is_ok() {}
            });
        }
    });
    load(port)
}

fn answer_null(caller: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    caller.get_mut().write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\nnull",
    )
}

/// What AWS's own Python client reaches.
pub struct Rounds {
    /// From the event's first byte out until its response is in.
    pub latency: Samples,
    /// Whole rounds, with the acknowledgement and the question for the next event.
    pub per_second: f64,
}

/// AWS's own Python client with the same no-op handler, driven by a Runtime API server that does
/// nothing else: no HTTP on the caller's side, no sandbox, no logs.
pub fn awslambdaric(tools: &Tools, count: usize) -> anyhow::Result<Rounds> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("function.py"), crate::functions::NO_OP)?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut client = RuntimeClient::python(tools, folder.path(), listener.local_addr()?.port())?;
    let mut reader = accept(&listener)?;
    read_request(&mut reader)?;
    let mut round = || -> anyhow::Result<Duration> {
        let began = Instant::now();
        answer_next(reader.get_mut())?;
        read_request(&mut reader)?;
        let latency = began.elapsed();
        accept_response(reader.get_mut())?;
        read_request(&mut reader)?;
        Ok(latency)
    };
    // The first rounds warm the interpreter up.
    for _ in 0..100 {
        round()?;
    }
    let began = Instant::now();
    let latencies = (0..count)
        .map(|_| round())
        .collect::<anyhow::Result<Vec<_>>>()?;
    let per_second = count as f64 / began.elapsed().as_secs_f64();
    client.end();
    Ok(Rounds {
        latency: Samples::new(latencies),
        per_second,
    })
}

/// The same client behind the least HTTP server there can be: one thread that takes a call, hands
/// it to the runtime, and passes the response back. What Kagero does without doing anything else.
pub fn awslambdaric_behind_http(tools: &Tools, count: usize) -> anyhow::Result<Rounds> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("function.py"), crate::functions::NO_OP)?;
    let runtime = TcpListener::bind(("127.0.0.1", 0))?;
    let front = TcpListener::bind(("127.0.0.1", 0))?;
    let port = front.local_addr()?.port();
    let mut client = RuntimeClient::python(tools, folder.path(), runtime.local_addr()?.port())?;
    let relay = std::thread::spawn(move || relay(&front, &runtime));
    let mut connection = crate::http::Connection::open(port)?;
    for _ in 0..100 {
        crate::functions::invoke(&mut connection, "floor")?;
    }
    let began = Instant::now();
    let mut latencies = Vec::with_capacity(count);
    for _ in 0..count {
        let sent = Instant::now();
        crate::functions::invoke(&mut connection, "floor")?;
        latencies.push(sent.elapsed());
    }
    let per_second = count as f64 / began.elapsed().as_secs_f64();
    drop(connection);
    client.end();
    // It ends with an error, because its caller hung up.
    let _ = relay.join();
    Ok(Rounds {
        latency: Samples::new(latencies),
        per_second,
    })
}

/// What `load` makes of so many runtime clients, each behind a thread of that least server, which takes
/// one connection: no isolation, no signatures, no choice of an environment, no logs, no usage records.
pub fn behind_http<T>(
    count: usize,
    start: impl Fn(&std::path::Path, u16) -> anyhow::Result<RuntimeClient>,
    load: impl FnOnce(u16) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("function.py"), crate::functions::NO_OP)?;
    let front = TcpListener::bind(("127.0.0.1", 0))?;
    let mut clients = Vec::new();
    for _ in 0..count {
        let (front, runtime) = (front.try_clone()?, TcpListener::bind(("127.0.0.1", 0))?);
        clients.push(start(folder.path(), runtime.local_addr()?.port())?);
        // It ends with an error, because its caller hangs up.
        std::thread::spawn(move || relay(&front, &runtime));
    }
    load(front.local_addr()?.port())
}

fn relay(front: &TcpListener, runtime: &TcpListener) -> anyhow::Result<()> {
    let mut runtime = accept(runtime)?;
    read_request(&mut runtime)?;
    let mut caller = accept(front)?;
    loop {
        read_request(&mut caller)?;
        answer_next(runtime.get_mut())?;
        read_request(&mut runtime)?;
        answer_null(&mut caller)?;
        accept_response(runtime.get_mut())?;
        read_request(&mut runtime)?;
    }
}

fn accept(listener: &TcpListener) -> anyhow::Result<BufReader<TcpStream>> {
    let (stream, _) = listener.accept().context("wait for a connection")?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// A runtime client, by itself: it ends with this.
pub struct RuntimeClient(Child);

impl RuntimeClient {
    pub fn python(tools: &Tools, folder: &std::path::Path, port: u16) -> anyhow::Result<Self> {
        let mut python = Command::new(&tools.python);
        python.args(["-m", "awslambdaric", "function.handler"]);
        Self::spawn(python, folder, port)
    }

    pub fn rust(tools: &Tools, folder: &std::path::Path, port: u16) -> anyhow::Result<Self> {
        Self::spawn(Command::new(&tools.program), folder, port)
    }

    /// Starts a runtime client with the variables that all of them read.
    fn spawn(mut command: Command, folder: &std::path::Path, port: u16) -> anyhow::Result<Self> {
        let child = command
            .current_dir(folder)
            .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}"))
            .env("AWS_LAMBDA_FUNCTION_NAME", "floor")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/floor")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "floor")
            .env("LAMBDA_TASK_ROOT", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("start a runtime client")?;
        Ok(Self(child))
    }

    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for RuntimeClient {
    fn drop(&mut self) {
        self.end();
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> anyhow::Result<()> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        line.clear();
        anyhow::ensure!(
            reader.read_line(&mut line)? > 0,
            "the runtime client hung up"
        );
        let header = line.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    Ok(())
}

fn answer_next(stream: &mut TcpStream) -> anyhow::Result<()> {
    let deadline = std::time::Duration::from_hours(1_139_568).as_millis();
    let head = format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
         Lambda-Runtime-Deadline-Ms: {deadline}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:f\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    stream.write_all(head.as_bytes())?;
    Ok(())
}

fn accept_response(stream: &mut TcpStream) -> anyhow::Result<()> {
    stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")?;
    Ok(())
}

/// A write of this many bytes with fsync, on the disk where temporary files lie.
pub fn fsync(bytes: usize, count: usize) -> anyhow::Result<Samples> {
    let mut file = tempfile::tempfile()?;
    let content = vec![7; bytes];
    let samples = (0..count)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&content)?;
            file.sync_data()?;
            Ok(began.elapsed())
        })
        .collect::<anyhow::Result<Vec<Duration>>>()?;
    Ok(Samples::new(samples))
}
