//! The tests of sandboxes and functions in a virtual machine: a stock Debian kernel with control
//! groups of version 2, which the machine that builds often lacks.

mod cpio;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use self::cpio::Archive;
use super::ordinary_user::suites;
use super::totals::Totals;
use crate::tools::guest::{self, Guest};

/// The packages and test programs to run, and of a program only these tests, if any are named:
/// an emulated processor is ten times slower, so functions only run where control groups matter.
const SUITES: [(&str, &str, &[&str]); 2] = [
    ("sandbox", "kernel", &[]),
    (
        "exec",
        "functions",
        &[
            "dispatch::a_frozen_function_does_not_run",
            "dispatch::idle_environments_freeze_and_go",
            "failures::a_fork_bomb_hits_its_bound_and_the_next_call_is_well",
            "failures::a_function_that_eats_its_memory_is_killed_for_it",
            "failures::a_timeout_kills_the_environment_and_the_next_call_gets_another",
            "failures::an_environment_that_ends_between_invocations_is_replaced_unseen",
        ],
    ),
];

/// The guest's last line, when it got to its end.
const DONE: &str = "guest: done";
/// The guest says this of each test program, then its exit status.
const ENDED: &str = " ended with ";
/// What starts lines of the guest that are not a test's.
const GUEST: &str = "guest: ";

/// No guest runs longer; on two idle processors it takes a quarter of that.
const PATIENCE: Duration = Duration::from_mins(15);

/// How much of the guest's console is shown when it did not get to its end.
const LAST_LINES: usize = 30;

/// Boots the guest, which runs the suites in every set-up and ends by itself. Returns whether all
/// passed. With a filter, only the tests whose names contain it.
pub fn run(filter: Option<&str>, totals: &mut Totals) -> anyhow::Result<bool> {
    let guest = guest::ensure()?;
    let folder = tempfile::Builder::new().prefix("kagero-guest-").tempdir()?;
    let archive = folder.path().join("initramfs");
    write_archive(&archive, &guest, filter)?;
    let console = folder.path().join("console");
    let mut command = command(&guest, &archive, &console)?;
    let said = converse(&mut command, totals);
    match said {
        Ok(Said { done: true, failed }) => Ok(!failed),
        Ok(_) => {
            show_console(&console);
            bail!("the guest did not get to its end; what its console said last is above")
        }
        Err(error) => {
            show_console(&console);
            Err(error)
        }
    }
}

/// The guest's first files: what finds the disk, and the tests.
fn write_archive(path: &Path, guest: &Guest, filter: Option<&str>) -> anyhow::Result<()> {
    let mut archive = Archive::new(BufWriter::new(File::create(path)?));
    for folder in ["proc", "dev", "root", "modules", "tests", "filters"] {
        archive.folder(folder)?;
    }
    archive.file("init", include_bytes!("init.sh"))?;
    archive.file("run.sh", include_bytes!("run.sh"))?;
    archive.file("busybox", &fs::read(guest.busybox())?)?;
    let mut order = Vec::new();
    for module in guest.modules()? {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        archive.file(&format!("modules/{name}"), &fs::read(&module)?)?;
        order.push(name.into_owned());
    }
    archive.file("modules/order", order.join("\n").as_bytes())?;
    for (program, name, chosen) in programs()? {
        archive.file(&format!("tests/{name}"), &fs::read(&program)?)?;
        let chosen = match filter {
            Some(filter) => filter.to_owned(),
            None if chosen.is_empty() => String::new(),
            None => format!("--exact {}", chosen.join(" ")),
        };
        archive.file(&format!("filters/{name}"), chosen.as_bytes())?;
    }
    archive.finish()?;
    Ok(())
}

type Program = (PathBuf, &'static str, &'static [&'static str]);

fn programs() -> anyhow::Result<Vec<Program>> {
    let packages = SUITES.map(|(package, ..)| package);
    let built = suites(&packages)?;
    SUITES
        .into_iter()
        .map(|(_, name, chosen)| {
            let suite = built.iter().find(|suite| suite.name == name);
            let suite = suite.with_context(|| format!("cargo built no test program {name}"))?;
            Ok((suite.program.clone(), name, chosen))
        })
        .collect()
}

/// Two serial ports: the kernel's console goes to a file, the tests' output to us.
fn command(guest: &Guest, archive: &Path, console: &Path) -> anyhow::Result<Command> {
    let disk = guest.disk();
    let mut command = guest.emulator();
    command
        // In software: a /dev/kvm that can be opened may still not work.
        .args(["-accel", "tcg,thread=multi", "-smp", "2", "-m", "2048"])
        .args(["-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none", "-append"])
        .arg("console=ttyS0 loglevel=6 panic=-1")
        .arg("-kernel")
        .arg(guest.kernel()?)
        .arg("-initrd")
        .arg(archive)
        .arg("-drive")
        .arg(format!(
            "if=virtio,format=raw,readonly=on,file={}",
            disk.display()
        ))
        .arg("-serial")
        .arg(format!("file:{}", console.display()))
        .args(["-serial", "stdio"]);
    Ok(command)
}

/// What the guest had to say at its end.
#[derive(Default)]
struct Said {
    done: bool,
    failed: bool,
}

/// Runs the emulator, shows what the tests say, and adds it up.
fn converse(command: &mut Command, totals: &mut Totals) -> anyhow::Result<Said> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the emulator")?;
    let stdout = child.stdout.take().expect("stdout is piped");
    let (ended, end) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        let timed_out = end.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout);
        if timed_out {
            // Gone already, or going now.
            let _ = child.kill();
        }
        child.wait().map(|status| (status, timed_out))
    });
    let mut said = Said::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        said.hear(line.trim_end_matches('\r'), totals);
    }
    drop(ended);
    let (status, timed_out) = watch.join().expect("the watch does not panic")?;
    ensure!(
        !timed_out,
        "the guest was still running after {} s and was stopped",
        PATIENCE.as_secs()
    );
    ensure!(status.success(), "the emulator ended with {status}");
    Ok(said)
}

impl Said {
    fn hear(&mut self, line: &str, totals: &mut Totals) {
        if line == DONE {
            self.done = true;
        } else if let Some(line) = line.strip_prefix(GUEST) {
            let good = line
                .rsplit_once(ENDED)
                .is_some_and(|(_, status)| status == "0");
            self.failed |= !good;
            if !good {
                println!("FAILED in the guest: {line}");
            }
        } else if let Some(line) = totals.read(line) {
            println!("{line}");
        }
    }
}

/// Empty if the emulator did not get as far as the kernel.
fn show_console(console: &Path) {
    let text = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
        eprintln!("  console: {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_has_passed_only_if_it_says_so_to_its_end() {
        let hear = |lines: &[&str]| {
            let (mut said, mut totals) = (Said::default(), Totals::default());
            for line in lines {
                said.hear(line, &mut totals);
            }
            (said.done, said.failed, totals.passed)
        };
        let passed = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured";
        let good = "guest: kernel as root ended with 0";
        assert_eq!(hear(&[passed, good, DONE]), (true, false, 3));
        assert_eq!(hear(&[passed, good]), (false, false, 3));
        let killed = "guest: kernel as root ended with 137";
        assert_eq!(hear(&[killed, DONE]), (true, true, 0));
        let left = "guest: left behind /sys/fs/cgroup/kagero/x";
        assert_eq!(hear(&[passed, good, left, DONE]), (true, true, 3));
    }
}
