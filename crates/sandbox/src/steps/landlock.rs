//! Steps that add a Landlock domain: a second, independent line behind the read-only mounts.
//!
//! Reading and executing everywhere, writing only in `/tmp` and `/dev`; from ABI 6 on, no abstract
//! UNIX socket and no signal reaches a process outside, which matters on the host's network.
//! <https://docs.kernel.org/userspace-api/landlock.html>

use crate::SandboxError;
use crate::plan::{Call, Phase, Plan};

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

const SCOPE_ABSTRACT_UNIX_SOCKET: u64 = 1 << 0;
const SCOPE_SIGNAL: u64 = 1 << 1;

const CREATE_RULESET_VERSION: u64 = 1;
const RULE_PATH_BENEATH: u64 = 1;

/// The kernel's Landlock ABI; `None` where it is not built in or not enabled.
pub(crate) fn abi() -> Option<u32> {
    // SAFETY: with this flag the call takes no attribute and only returns a number.
    let version = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0_usize,
            CREATE_RULESET_VERSION,
        )
    };
    u32::try_from(version).ok().filter(|&version| version > 0)
}

/// Every file system right that this ABI can handle.
fn handled(abi: u32) -> u64 {
    let bits = match abi {
        0 | 1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    (1 << bits) - 1
}

/// Adds the steps; they need no-new-privileges to be set.
pub(crate) fn add(plan: &mut Plan, abi: u32) -> Result<(), SandboxError> {
    let payload = Phase::Payload;
    let handled = handled(abi);
    let scoped = if abi >= 6 {
        SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL
    } else {
        0
    };
    // handled_access_fs, handled_access_net, scoped; older kernels accept zeroes they do not know.
    let attribute = plan.words(&[handled, 0, scoped]);
    let ruleset = plan.slot();
    let create = Call::new(libc::SYS_landlock_create_ruleset)
        .with(attribute)
        .with(24)
        .with(0)
        .into_slot(ruleset);
    plan.push(payload, "create the landlock ruleset", create);

    let read = EXECUTE | READ_FILE | READ_DIR;
    let device = WRITE_FILE | READ_FILE | READ_DIR | TRUNCATE | IOCTL_DEV;
    for (path, rights) in [
        ("/", read),
        ("/tmp", handled),
        ("/dev", device),
        ("/dev/shm", handled),
    ] {
        let path = plan.string("path", path)?;
        // struct landlock_path_beneath_attr is packed: the rights, then the descriptor.
        let rule = plan.words(&[rights & handled, 0]);
        let parent = rule + 8;
        let open = Call::new(libc::SYS_openat)
            .with_int(libc::AT_FDCWD)
            .with(path)
            .with_int(libc::O_PATH | libc::O_CLOEXEC)
            .with(0)
            .into_slot(parent);
        plan.push(payload, "open a landlock folder", open);
        let add = Call::new(libc::SYS_landlock_add_rule)
            .with_slot(ruleset)
            .with(RULE_PATH_BENEATH)
            .with(rule)
            .with(0);
        plan.push(payload, "add a landlock rule", add);
    }
    let restrict = Call::new(libc::SYS_landlock_restrict_self)
        .with_slot(ruleset)
        .with(0);
    plan.push(payload, "enter the landlock domain", restrict);
    Ok(())
}
