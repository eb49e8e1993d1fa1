//! What isolation this machine gives, for `kagero doctor` to print.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::host::Host;
use crate::privilege;
use crate::spec::Spec;

/// One feature of isolation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub feature: &'static str,
    pub available: bool,
    /// How it is done, or why it is not and what is done instead.
    pub detail: String,
}

impl Host {
    /// What every sandbox of this host has, and what it lacks; the last finding, `sandbox`, is a
    /// trial. Blocks for some milliseconds.
    pub fn capabilities_report(&self) -> Vec<Finding> {
        let inner = self.inner();
        let mut findings = vec![kernel(), user(inner.is_root), network(inner.is_root)];
        findings.extend(inner.cgroups.findings());
        findings.push(inner.tmp_disks.finding());
        findings.push(seccomp());
        findings.push(landlock(inner.landlock));
        if let Ok(egress) = inner.egress.get() {
            findings.push(egress.finding());
        }
        findings.push(zygotes(inner.is_root));
        findings.push(self.templates());
        findings.push(self.trial());
        findings
    }

    fn templates(&self) -> Finding {
        let missing = self.templates_missing();
        let detail = match missing {
            None => {
                String::from("versions with SnapStart fork from a process that has had its init")
            }
            Some(why) => format!("versions with SnapStart start like any other: {why}"),
        };
        Finding {
            feature: "templates",
            available: missing.is_none(),
            detail,
        }
    }

    /// What counts in the end: whether `/bin/true` runs in a sandbox, and what fails if not.
    fn trial(&self) -> Finding {
        // What the first start waits for is not part of a start.
        let ready = self.inner().wait_until_ready();
        let begun = Instant::now();
        let ran = ready
            .and_then(|()| self.spawn(Spec::new("/bin/true")))
            .and_then(|sandbox| sandbox.wait());
        let (available, detail) = match ran {
            Ok(exit) if exit.status.success() => (
                true,
                format!(
                    "started, run and ended in {} µs",
                    begun.elapsed().as_micros()
                ),
            ),
            Ok(exit) => (false, format!("/bin/true ended with {}", exit.status)),
            Err(error) => {
                let cause = error
                    .source()
                    .map(|cause| format!(": {cause}"))
                    .unwrap_or_default();
                (false, format!("{error}{cause}"))
            }
        };
        Finding {
            feature: "sandbox",
            available,
            detail,
        }
    }
}

fn kernel() -> Finding {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let available = version >= (5, 12);
    let need = if available {
        ""
    } else {
        ", but 5.12 is needed (mount_setattr)"
    };
    Finding {
        feature: "kernel",
        available,
        detail: format!("Linux {release}{need}"),
    }
}

fn user(is_root: bool) -> Finding {
    let most = fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap_or_default();
    let most: u64 = most.trim().parse().unwrap_or(0);
    let restricted = fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
    let restricted = restricted.is_ok_and(|value| value.trim() == "1");
    let (available, detail) = match (is_root, most, restricted) {
        (true, _, _) => (true, "root: each environment has a host uid of its own"),
        (false, 0, _) => (
            false,
            "user namespaces are disabled (user.max_user_namespaces is 0)",
        ),
        (false, _, true) => (
            false,
            "AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns)",
        ),
        (false, _, false) if privilege::is_root_without_means() => (
            false,
            "root without CAP_SYS_ADMIN, CAP_SETUID and CAP_SETGID: functions run as root of this \
             machine, without any capability; run the server as an ordinary user",
        ),
        (false, _, false) => (
            true,
            "no root: each environment has a user namespace of its own",
        ),
    };
    Finding {
        feature: "own user",
        available,
        detail: detail.to_owned(),
    }
}

fn network(is_root: bool) -> Finding {
    let available = Path::new("/proc/self/ns/net").exists();
    let detail = match (available, is_root) {
        (false, _) => "the kernel has no network namespaces",
        (true, true) => "a network namespace each, made ahead",
        (true, false) => "a network namespace each, made at every start (about 0.3 ms)",
    };
    Finding {
        feature: "own network",
        available,
        detail: detail.to_owned(),
    }
}

fn seccomp() -> Finding {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    let available = actions.split_whitespace().any(|action| action == "errno");
    let detail = if available {
        "system call filter"
    } else {
        "the kernel has no seccomp filters"
    };
    Finding {
        feature: "seccomp",
        available,
        detail: detail.to_owned(),
    }
}

fn zygotes(is_root: bool) -> Finding {
    let detail = if is_root {
        "environments of Python 3.7 and later are forked, and parked ahead"
    } else {
        "they take root; environments are parked ahead all the same, each executed"
    };
    Finding {
        feature: "zygotes",
        available: is_root,
        detail: detail.to_owned(),
    }
}

fn landlock(abi: Option<u32>) -> Finding {
    let detail = match abi {
        Some(abi) => format!("ABI {abi}"),
        None => String::from("not in this kernel; read-only mounts stand alone"),
    };
    Finding {
        feature: "landlock",
        available: abi.is_some(),
        detail,
    }
}
