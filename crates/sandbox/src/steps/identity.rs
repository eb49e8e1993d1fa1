//! Steps that leave the sandbox with a plain user and no capability.

use crate::plan::{Call, Phase, Plan};
use crate::skeleton;

/// Who the sandbox's processes become.
#[derive(Debug, Clone, Copy)]
pub(crate) enum User {
    /// As root: this real user of the host.
    Real { uid: u32, gid: u32 },
    /// In a user namespace: the one user that is mapped, which init already is.
    Mapped,
    /// The same, whose bounding set is empty already.
    Bounded,
}

impl User {
    /// Its `/etc/passwd`, unless it is the one that every mapped user has.
    pub(crate) fn passwd(self) -> Option<String> {
        match self {
            Self::Real { uid, gid } => Some(skeleton::passwd(uid, gid)),
            Self::Mapped | Self::Bounded => None,
        }
    }
}

/// Adds the steps that leave whoever takes them a plain user for good.
///
/// A real root's clones come with an empty bounding set from the launcher; a user namespace starts
/// with a full one.
pub(crate) fn add(plan: &mut Plan, phase: Phase, user: User, last_capability: u32) {
    if let User::Real { uid, gid } = user {
        let (uid, gid) = (u64::from(uid), u64::from(gid));
        let groups = Call::new(libc::SYS_setgroups).with(0).with(0);
        plan.push(phase, "drop supplementary groups", groups);
        let call = Call::new(libc::SYS_setresgid).with(gid).with(gid).with(gid);
        plan.push(phase, "set the gid", call);
        let call = Call::new(libc::SYS_setresuid).with(uid).with(uid).with(uid);
        plan.push(phase, "set the uid", call);
    }
    if matches!(user, User::Mapped) {
        for capability in 0..=last_capability {
            let call = prctl(libc::PR_CAPBSET_DROP, u64::from(capability));
            plan.push(phase, "drop the capability bounding set", call);
        }
    }
    // Version 3, this process; no effective, permitted or inheritable capability in both halves.
    let header = plan.words(&[0x2008_0522]);
    let none = plan.words(&[0, 0, 0]);
    let call = Call::new(libc::SYS_capset).with(header).with(none);
    plan.push(phase, "drop capabilities", call);
    plan.push(
        phase,
        "refuse new privileges",
        prctl(libc::PR_SET_NO_NEW_PRIVS, 1),
    );
}

/// Adds the steps that keep init to itself, and its life to the server's. After those of [`add`],
/// whose change of user would undo them.
pub(crate) fn guard_init(plan: &mut Plan) {
    // Init's memory holds the plan; a payload becomes dumpable again when it is executed.
    plan.push(
        Phase::Setup,
        "make init undumpable",
        prctl(libc::PR_SET_DUMPABLE, 0),
    );
    die_with_server(plan);
}

/// Ends a frozen sandbox, whose init cannot watch.
pub(crate) fn die_with_server(plan: &mut Plan) {
    let death = prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64);
    plan.push(Phase::Setup, "die with the server", death);
}

/// Adds the step by which a forked payload, which is not executed any more, sees its own `/proc`
/// files again after its change of user.
pub(crate) fn make_payload_dumpable(plan: &mut Plan) {
    let call = prctl(libc::PR_SET_DUMPABLE, 1);
    plan.push(Phase::Payload, "make the payload dumpable", call);
}

fn prctl(option: i32, argument: u64) -> Call {
    Call::new(libc::SYS_prctl)
        .with_int(option)
        .with(argument)
        .with(0)
        .with(0)
        .with(0)
}
