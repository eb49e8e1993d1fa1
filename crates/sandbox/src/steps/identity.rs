//! Steps that leave the sandbox with a plain user and no capability.

use crate::plan::{Call, Phase, Plan};

/// Who the sandbox's processes become.
#[derive(Debug, Clone, Copy)]
pub(crate) enum User {
    /// As root: this real user of the host.
    Real { uid: u32, gid: u32 },
    /// In a user namespace: the one user that is mapped, which init already is.
    Mapped,
}

/// Adds the steps that init takes after its last privileged one and before it forks the payload.
///
/// A real root's clones come with an empty bounding set from the launcher; a user namespace starts
/// with a full one.
pub(crate) fn add(plan: &mut Plan, user: User, last_capability: u32) {
    let setup = Phase::Setup;
    if let User::Real { uid, gid } = user {
        let (uid, gid) = (u64::from(uid), u64::from(gid));
        let groups = Call::new(libc::SYS_setgroups).with(0).with(0);
        plan.push(setup, "drop supplementary groups", groups);
        let call = Call::new(libc::SYS_setresgid).with(gid).with(gid).with(gid);
        plan.push(setup, "set the gid", call);
        let call = Call::new(libc::SYS_setresuid).with(uid).with(uid).with(uid);
        plan.push(setup, "set the uid", call);
    }
    if matches!(user, User::Mapped) {
        for capability in 0..=last_capability {
            let call = prctl(libc::PR_CAPBSET_DROP, u64::from(capability));
            plan.push(setup, "drop the capability bounding set", call);
        }
    }
    // Version 3, this process; no effective, permitted or inheritable capability in both halves.
    let header = plan.words(&[0x2008_0522]);
    let none = plan.words(&[0, 0, 0]);
    let call = Call::new(libc::SYS_capset).with(header).with(none);
    plan.push(setup, "drop capabilities", call);
    plan.push(
        setup,
        "refuse new privileges",
        prctl(libc::PR_SET_NO_NEW_PRIVS, 1),
    );
    // Init's memory holds the plan; the payload becomes dumpable again when it is executed.
    plan.push(
        setup,
        "make init undumpable",
        prctl(libc::PR_SET_DUMPABLE, 0),
    );
    // After the uid, which would clear it. Ends a frozen sandbox, whose init cannot watch.
    let death = prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64);
    plan.push(setup, "die with the server", death);
}

fn prctl(option: i32, argument: u64) -> Call {
    Call::new(libc::SYS_prctl)
        .with_int(option)
        .with(argument)
        .with(0)
        .with(0)
        .with(0)
}
