//! A server of the built binary, on a free port, with a data directory of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// In a server's folder: whom it trusts as a client.
const TRUSTED: &str = "trusted.pem";
/// How long a server may take to answer for the first time, on a machine under load.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running `kagero serve`. Dropped, it is killed and its data removed.
pub struct Server {
    child: Child,
    port: u16,
    region: &'static str,
    /// The access key of clients, and its secret.
    key: [&'static str; 2],
    folder: TempDir,
}

/// Where anything does.
const ANY_KEY: [&str; 2] = ["test", "test"];
const ROOT_KEY: [&str; 2] = ["AKIAROOTROOTROOTROOT", "the-root-key-of-a-test"];

/// The account a server runs as, where it is not ours.
#[derive(Clone, Copy)]
struct Uid(u32);

impl Server {
    /// Starts with an empty data directory.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts with an empty data directory and further flags.
    pub fn start_with(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::start_in(folder, None, flags)
    }

    /// Starts one that trusts a certificate besides those it makes.
    pub fn start_trusting(certificate: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let copied = std::fs::copy(certificate, folder.path().join(TRUSTED));
        copied.expect("copy the certificate");
        Self::start_in(folder, None, &[])
    }

    /// Starts with clients of another region than ap-northeast-1.
    pub fn start_in_region(region: &'static str) -> Self {
        let mut server = Self::start();
        server.region = region;
        server
    }

    /// Starts with signatures checked and policies evaluated; clients are the account's root.
    pub fn start_enforcing() -> Self {
        let [id, secret] = ROOT_KEY;
        let mut server = Self::start_with(&[
            "--auth",
            "enforce",
            "--root-access-key-id",
            id,
            "--root-secret-access-key",
            secret,
        ]);
        server.key = ROOT_KEY;
        server
    }

    /// Starts as another user, which only root can. An error says why that user cannot even reach
    /// the binary.
    pub fn start_as(uid: u32) -> Result<Self, String> {
        let program = kagero_binary();
        let reached = as_user(Uid(uid), &program).arg("--version").output();
        if !reached.as_ref().is_ok_and(|output| output.status.success()) {
            return Err(format!(
                "uid {uid} cannot run {}: {reached:?}",
                program.display()
            ));
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::os::unix::fs::chown(folder.path(), Some(uid), Some(uid)).expect("give a folder away");
        Ok(Self::start_in(folder, Some(Uid(uid)), &[]))
    }

    fn start_in(folder: TempDir, uid: Option<Uid>, flags: &[&str]) -> Self {
        let port = free_port();
        let child = spawn(folder.path(), port, uid, flags);
        let mut server = Self {
            child,
            port,
            region: "ap-northeast-1",
            key: ANY_KEY,
            folder,
        };
        server.wait_until_ready();
        server
    }

    /// Ends the process as power loss would, and starts another on the same data and port.
    pub fn kill_and_restart(&mut self, flags: &[&str]) {
        self.kill();
        self.child = spawn(self.folder.path(), self.port, None, flags);
        self.wait_until_ready();
    }

    /// SIGKILL, and waits for the end.
    pub fn kill(&mut self) {
        // An error means that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(mut self) -> std::process::ExitStatus {
        // A process id of a child not yet waited for cannot have been reused.
        let status = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "send SIGTERM");
        self.child.wait().expect("wait for the server")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A client of this server.
    pub fn api(&self) -> crate::Api {
        crate::Api::new(self.port)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the server has written to standard error so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Variables that point every AWS client at this server.
    pub fn client_environment(&self) -> [(&'static str, String); 7] {
        [
            ("AWS_ENDPOINT_URL", self.url()),
            ("AWS_ACCESS_KEY_ID", self.key[0].to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.key[1].to_owned()),
            ("AWS_DEFAULT_REGION", self.region.to_owned()),
            ("AWS_REGION", self.region.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_PAGER", String::new()),
        ]
    }

    /// Sends raw bytes and returns all that comes back before the server closes or falls silent.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connect");
        stream
            .set_read_timeout(Some(Duration::from_secs(2)))
            .expect("set a timeout");
        // The server may hang up while we still write: that too is an answer.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// Whether the health page answers.
    pub fn is_healthy(&self) -> bool {
        let request =
            b"GET /_kagero/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        self.raw(request).starts_with(b"HTTP/1.1 200")
    }

    fn wait_until_ready(&mut self) {
        let began = Instant::now();
        while began.elapsed() < START_LIMIT {
            if let Some(status) = self.child.try_wait().expect("ask for the server's state") {
                panic!("the server ended with {status}:\n{}", self.log());
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.is_healthy() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!(
            "the server did not answer within {START_LIMIT:?}:\n{}",
            self.log()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{}", self.log());
        }
    }
}

fn spawn(folder: &Path, port: u16, uid: Option<Uid>, flags: &[&str]) -> Child {
    let log = folder.join("log");
    let log = File::options()
        .create(true)
        .append(true)
        .open(log)
        .expect("open the log");
    let program = kagero_binary();
    let mut command = match uid {
        Some(uid) => as_user(uid, &program),
        None => Command::new(&program),
    };
    command
        .arg("serve")
        .args(["--listen", &format!("127.0.0.1:{port}")]);
    if flags.contains(&"--ephemeral") {
        command.env("TMPDIR", folder);
    } else if !flags.contains(&"--data-dir") {
        command.arg("--data-dir").arg(folder.join("data"));
    }
    if folder.join(TRUSTED).exists() {
        command.env("SSL_CERT_FILE", folder.join(TRUSTED));
    }
    command
        .args(flags)
        // A settings file of a developer's must not reach the test.
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("start {}: {error}; build it first", program.display()))
}

/// A program to run as another user, without any group or privilege.
fn as_user(uid: Uid, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={}", uid.0), format!("--regid={}", uid.0)])
        .args(["--clear-groups", "--"])
        .arg(program)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command
}

/// `KAGERO_BIN`, else the debug build.
pub fn kagero_binary() -> PathBuf {
    std::env::var_os("KAGERO_BIN").map_or_else(
        || crate::clients::target().join("debug/kagero"),
        PathBuf::from,
    )
}

/// A uid to run as, if we are root; `None` if we are an ordinary user already.
pub fn ordinary_uid() -> Option<u32> {
    let id = Command::new("id").arg("-u").output().expect("run id");
    (id.stdout.trim_ascii() == b"0").then_some(59_999)
}

/// Where the ports of test servers lie. The kernel gives 32768 and up to outgoing connections: a port
/// from there may belong to some client before the server binds it, or while the server is being
/// restarted.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A port that is free, and that neither the kernel nor another caller in this process gives away.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = u32::from(PORTS.end - PORTS.start);
    // Test programs that run at the same time begin at other places.
    let begin = std::process::id().wrapping_mul(2_654_435_761);
    for _ in 0..count {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = begin.wrapping_add(step) % count;
        let port = PORTS.start + u16::try_from(offset).expect("less than the count of ports");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}
