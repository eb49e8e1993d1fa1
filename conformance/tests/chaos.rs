//! `kill -9` of a server with many environments: all that is the kernel's ends with it within
//! moments, and the next server on the same data clears the rest, at once.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use conformance::{Request, Server, until, zip};
use serde_json::json;

const FUNCTIONS: usize = 4;
/// Of each function, at once.
const CALLS: usize = 25;

const CODE: &str = "import time
def handler(event, context):
    open('/tmp/used', 'wb').write(b'x' * 100000)
    time.sleep(event)
    return 'served'
";

/// What of one server there is on this machine.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    /// Below it, at first; told by when they began, too.
    processes: BTreeSet<(u32, String)>,
    loop_devices: BTreeSet<PathBuf>,
    links: BTreeSet<String>,
    tables: BTreeSet<String>,
}

/// How a server's things are recognised.
struct Marks {
    data: PathBuf,
    /// Of its control groups, and by a hash of its network.
    instance: String,
    processes: BTreeSet<(u32, String)>,
}

impl Marks {
    /// Of a running server with at least one environment.
    fn of(server: &Server) -> Self {
        let mut processes = BTreeSet::new();
        descendants(server.pid(), &mut processes);
        let mut instances = processes.iter().filter_map(|(pid, _)| {
            let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
            let (_, below) = groups.split_once("/kagero/")?;
            below.split(['/', '\n']).next().map(str::to_owned)
        });
        Self {
            data: server.data_dir(),
            instance: instances.next_back().unwrap_or_default(),
            processes,
        }
    }

    fn traces(&self) -> Traces {
        let name = format!("{:08x}", hash(&self.instance) >> 32);
        let is_alive = |process: &&(u32, String)| began(process.0).as_ref() == Some(&process.1);
        let backing = |device: &PathBuf| fs::read_to_string(device.join("loop/backing_file"));
        let is_ours = |file: String| Path::new(&file).starts_with(&self.data);
        let links = entries(Path::new("/sys/class/net"));
        let links = links.iter().filter_map(|link| link.file_name()?.to_str());
        let tables = Command::new("nft").args(["list", "tables"]).output();
        let tables = tables.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let tables = tables.unwrap_or_default();
        let tables = tables.lines().filter(|line| line.ends_with(&name));
        Traces {
            processes: self.processes.iter().filter(is_alive).cloned().collect(),
            loop_devices: entries(Path::new("/sys/block"))
                .into_iter()
                .filter(|one| backing(one).is_ok_and(is_ours))
                .collect(),
            links: links
                .filter(|link| link.starts_with(&format!("kg{name}-")))
                .map(str::to_owned)
                .collect(),
            tables: tables.map(str::to_owned).collect(),
        }
    }

    /// The control groups of its environments, in all hierarchies.
    fn groups(&self) -> usize {
        let mut found = Vec::new();
        groups_below(Path::new("/sys/fs/cgroup"), &self.instance, &mut found);
        found.len()
    }
}

impl Traces {
    fn is_empty(&self) -> bool {
        self.processes.is_empty()
            && self.loop_devices.is_empty()
            && self.links.is_empty()
            && self.tables.is_empty()
    }
}

/// As the sandbox names a server's devices and rules.
fn hash(instance: &str) -> u64 {
    instance.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn descendants(pid: u32, found: &mut BTreeSet<(u32, String)>) {
    for task in entries(Path::new(&format!("/proc/{pid}/task"))) {
        let children = fs::read_to_string(task.join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            let child = child.parse().unwrap();
            found.extend(began(child).map(|began| (child, began)));
            descendants(child, found);
        }
    }
}

/// When a process began, which with its number is its own for ever.
fn began(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(19).map(str::to_owned)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn groups_below(folder: &Path, instance: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if folder.file_name().is_some_and(|name| name == instance) {
                found.push(entry.path());
            }
            groups_below(&entry.path(), instance, found);
        }
    }
}

#[test]
fn a_killed_server_takes_its_environments_along_and_the_next_one_clears_the_rest() {
    let mut server = Server::start();
    let mut api = server.api();
    let code = zip(&[("function.py", CODE)]);
    for number in 0..FUNCTIONS {
        let more = json!({"Timeout": 120});
        api.function(&format!("sleeper-{number}"), &code, &more);
    }
    let calls: Vec<_> = (0..FUNCTIONS * CALLS)
        .map(|call| {
            let mut api = server.api();
            std::thread::spawn(move || {
                let number = call % FUNCTIONS;
                let target = format!("/2015-03-31/functions/sleeper-{number}/invocations");
                api.try_send(&Request::new("lambda", "POST", &target).body(b"100"))
            })
        })
        .collect();
    let mut api = server.api();
    until("all environments are busy", || {
        let list = api.send(
            &Request::new("kagero", "GET", "/_kagero/environments").header("x-kagero-command", "1"),
        );
        let list = list.expect(200).json();
        let busy = list.as_array()?.iter();
        let busy = busy.filter(|one| one["state"] == "busy").count();
        (busy == FUNCTIONS * CALLS).then_some(())
    });
    let marks = Marks::of(&server);
    let (before, groups) = (marks.traces(), marks.groups());
    eprintln!(
        "{} processes, {} loop devices, {} links, {} tables, {groups} control groups",
        before.processes.len(),
        before.loop_devices.len(),
        before.links.len(),
        before.tables.len(),
    );
    assert!(before.processes.len() >= FUNCTIONS * CALLS, "{before:?}");
    server.kill();
    for call in calls {
        assert!(call.join().unwrap().is_err(), "answered by a dead server");
    }
    until("everything of it has ended", || {
        let traces = marks.traces();
        traces.is_empty().then_some(()).or_else(|| {
            std::thread::sleep(Duration::from_millis(50));
            None
        })
    });
    server.kill_and_restart(&[]);
    let mut api = server.api();
    for number in 0..FUNCTIONS {
        assert_eq!(
            api.answer(&format!("sleeper-{number}"), &json!(0)),
            "served"
        );
    }
    assert!(marks.groups() < groups.max(1), "of {groups} control groups");
    if groups > 0 {
        until("only its own control groups are left", || {
            (marks.groups() < groups / 4).then_some(())
        });
    }
    let state = server.data_dir();
    until("the passwd files of the killed server are gone", || {
        (passwd_files(&state) < FUNCTIONS * CALLS / 2).then_some(())
    });
}

#[test]
fn a_killed_server_that_keeps_nothing_leaves_nothing_for_longer_than_until_the_next() {
    let flags = ["--ephemeral"];
    let mut server = Server::start_with(&flags);
    let folder = server.data_dir().parent().unwrap().to_owned();
    // Beside the server's log.
    let temporary = || {
        let mut found = entries(&folder);
        found.retain(|path| path.is_dir());
        found
    };
    let mut marks = None;
    for round in 0..2 {
        let mut api = server.api();
        let code = zip(&[("function.py", CODE)]);
        api.function("sleeper", &code, &json!({}));
        assert_eq!(api.answer("sleeper", &json!(0)), "served");
        let found = temporary();
        assert_eq!(found.len(), 1, "round {round}: {found:?}");
        marks.get_or_insert_with(|| Marks::of(&server));
        if round == 0 {
            fs::write(found[0].join("of-the-killed"), "x").unwrap();
            server.kill_and_restart(&flags);
        } else {
            assert!(!found[0].join("of-the-killed").exists());
        }
    }
    let pid = server.pid().to_string();
    let ended = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(ended.unwrap().success());
    until("its folder is gone", || {
        temporary().is_empty().then_some(())
    });
    let marks = marks.unwrap();
    if !marks.instance.is_empty() {
        until("its control groups are gone", || {
            (marks.groups() == 0).then_some(())
        });
    }
}

/// How many uids have a file.
fn passwd_files(folder: &Path) -> usize {
    let below = entries(folder).into_iter().filter(|one| one.is_dir());
    below
        .map(|folder| match folder.file_name() {
            Some(name) if name == "passwd" => entries(&folder).len(),
            _ => passwd_files(&folder),
        })
        .sum()
}
