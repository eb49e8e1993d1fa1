//! A host and its outside for a test: the test runs itself again in a network namespace that stands
//! for the host, beside another one that stands for the outside, so that the machine's own network is
//! not touched.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

/// Documentation addresses (RFC 5737), which no host has a route to.
pub const HOST: &str = "198.51.100.1";
pub const OUTSIDE: &str = "198.51.100.2";
pub const PORT: u16 = 7000;

const ROLE: &str = "OUTSIDE_TEST";

/// As whom a server leads its environments out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    AsRoot,
    /// As an ordinary user, who in a user namespace can make a world too; to the server that is no
    /// root.
    ByPasta,
}

impl Way {
    /// Runs another test of this executable in such a world; not at all where there can be none,
    /// which is said.
    pub fn run(self, test: &str) {
        let missing = match self {
            Self::AsRoot if !rustix::process::geteuid().is_root() => {
                "network address translation needs root"
            }
            Self::ByPasta if !works("pasta", &["--version"]) => {
                "pasta, of the Debian package passt, is not installed"
            }
            _ if !works("ip", &["-V"]) || !self.may_make_namespaces() => {
                "unshare and ip, which make the test's host, do not work here"
            }
            _ => "",
        };
        if !missing.is_empty() {
            return eprintln!("skipped: {missing}");
        }
        let mut command = self.namespaces();
        command.args(again(test)).env(ROLE, "host");
        let ran = command.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        eprint!("{said}");
        let said = String::from_utf8_lossy(&ran.stdout);
        // Behind an indent nobody takes its summary for one of ours.
        assert!(
            ran.status.success(),
            "it said:\n  {}",
            said.replace('\n', "\n  ")
        );
    }

    fn may_make_namespaces(self) -> bool {
        let tried = self.namespaces().arg("true").output();
        tried.is_ok_and(|ran| ran.status.success())
    }

    /// What runs a program in the namespaces of a world.
    fn namespaces(self) -> Command {
        let mut command = match self {
            Self::AsRoot => Command::new("unshare"),
            Self::ByPasta if rustix::process::geteuid().is_root() => {
                let mut shell = Command::new("unshare");
                shell.args(["--mount", "sh", "-c", AS_AN_ORDINARY_USER]);
                shell.args(["unshare", "--user", "--map-root-user"]);
                shell
            }
            Self::ByPasta => {
                let mut unshare = Command::new("unshare");
                unshare.args(["--user", "--map-root-user"]);
                unshare
            }
        };
        command.arg("--net");
        command
    }
}

/// Runs a program as a user that no account has, to whom the device that `pasta` needs is open.
const AS_AN_ORDINARY_USER: &str = r#"
mount -t tmpfs none /mnt && mknod -m 666 /mnt/tun c 10 200 && mount --bind /mnt/tun /dev/net/tun || exit
exec setpriv --reuid=59999 --regid=59999 --clear-groups -- "$0" "$@"
"#;

fn works(program: &str, arguments: &[&str]) -> bool {
    let ran = Command::new(program).args(arguments).output();
    ran.is_ok_and(|ran| ran.status.success())
}

/// This test executable as one of its tests.
fn again(test: &str) -> [OsString; 4] {
    let program = std::env::current_exe().unwrap();
    let flags = ["--exact", test, "--nocapture"].map(OsString::from);
    let [exact, test, nocapture] = flags;
    [program.into(), exact, test, nocapture]
}

/// Whether this is the host of a world; the test that it is to run is none otherwise.
pub fn is_in_a_world() -> bool {
    std::env::var(ROLE).is_ok_and(|role| role == "host")
}

fn ip(arguments: &str) {
    let ran = Command::new("ip").args(arguments.split(' ')).status();
    assert!(ran.unwrap().success(), "ip {arguments}");
}

/// The outside: waits for its device, then for callers, until its input ends.
#[test]
fn outside() {
    if std::env::var(ROLE).is_ok_and(|role| role == "outside") {
        let mut line = String::new();
        println!("\nnamespace");
        std::io::stdin().read_line(&mut line).unwrap();
        ip(&format!("address add {OUTSIDE}/24 dev up1"));
        ip("link set up1 up");
        let listener = TcpListener::bind((OUTSIDE, PORT)).unwrap();
        std::thread::spawn(move || while listener.accept().is_ok() {});
        println!("ready");
        std::io::stdin().read_line(&mut line).unwrap();
    }
}

/// The outside of the host that this test is in, until it is dropped.
pub struct Outside(Child);

impl Outside {
    pub fn start() -> Self {
        let mut command = Command::new("unshare");
        command.arg("--net").args(again("outside::outside"));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.env(ROLE, "outside").spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut hear = |awaited: &str| said.any(|line| line.unwrap() == awaited);
        assert!(hear("namespace"));
        ip("link set lo up");
        ip("link add up0 type veth peer name up1");
        ip(&format!("link set up1 netns {}", child.id()));
        ip(&format!("address add {HOST}/24 dev up0"));
        ip("link set up0 up");
        ip(&format!("route add default via {OUTSIDE}"));
        child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        assert!(hear("ready"));
        // Nothing is said any more, but the pipe has to stay.
        std::thread::spawn(move || said.count());
        Self(child)
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
