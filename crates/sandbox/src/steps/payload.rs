//! Steps of the payload itself, from its session to `execve`.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use crate::SandboxError;
use crate::plan::{CONTROL, Call, Phase, Plan};
use crate::spec::Spec;

/// A descriptor of the server and the number the program finds it under.
pub(crate) struct Inherited<'a> {
    pub(crate) fd: BorrowedFd<'a>,
    pub(crate) target: RawFd,
}

/// Session, umask and resource limits.
pub(crate) fn add_limits(plan: &mut Plan, limits: &[(libc::__rlimit_resource_t, u64)]) {
    plan.push(
        Phase::Payload,
        "start a session",
        Call::new(libc::SYS_setsid),
    );
    plan.push(
        Phase::Payload,
        "set the umask",
        Call::new(libc::SYS_umask).with(0o022),
    );
    for &(resource, value) in limits {
        let address = plan.words(&[value, value]);
        let call = Call::new(libc::SYS_prlimit64)
            .with(0)
            .with(u64::from(resource))
            .with(address)
            .with(0);
        plan.push(Phase::Payload, "set a resource limit", call);
    }
}

/// Brings every inherited descriptor to its number and marks all others to close.
pub(crate) fn add_descriptors(plan: &mut Plan, inherited: &[Inherited<'_>]) {
    let payload = Phase::Payload;
    let above = inherited
        .iter()
        .map(|one| one.target)
        .max()
        .unwrap_or(2)
        .max(2)
        + 1;
    // Everything closes on exec; the `dup3` below makes the exceptions.
    let close = Call::new(libc::SYS_close_range)
        .with(0)
        .with(u64::from(u32::MAX))
        .with(u64::from(libc::CLOSE_RANGE_CLOEXEC));
    plan.push(payload, "close other descriptors", close);
    // Twice: a source's number may be another's target.
    let mut moved = Vec::with_capacity(inherited.len());
    for one in inherited {
        let source = plan.keep(one.fd.as_raw_fd());
        let slot = plan.slot();
        let call = Call::new(libc::SYS_fcntl)
            .with_int(source)
            .with_int(libc::F_DUPFD_CLOEXEC)
            .with_int(above)
            .into_slot(slot);
        plan.push(payload, "move a descriptor", call);
        moved.push((slot, one.target));
    }
    for (slot, target) in moved {
        let call = Call::new(libc::SYS_dup3)
            .with_slot(slot)
            .with_int(target)
            .with(0);
        plan.push(payload, "place a descriptor", call);
    }
}

/// Closes what [`add_descriptors`] only marks, for a payload that is not executed.
pub(crate) fn close_others(plan: &mut Plan, inherited: &[Inherited<'_>]) {
    let highest = inherited.iter().map(|one| one.target).max().unwrap_or(2);
    let call = Call::new(libc::SYS_close_range)
        .with_int(highest.max(2) + 1)
        .with(u64::from(u32::MAX))
        .with(0);
    plan.push(Phase::After, "close other descriptors", call);
}

/// Becomes the program.
pub(crate) fn add_exec(plan: &mut Plan, spec: &Spec) -> Result<(), SandboxError> {
    let cwd = plan.string("working directory", &spec.cwd)?;
    let label = format!("enter {}", spec.cwd.display());
    plan.push(Phase::Payload, label, Call::new(libc::SYS_chdir).with(cwd));

    let program = plan.string("program", &spec.program)?;
    let mut arguments = vec![program];
    for argument in &spec.args {
        arguments.push(plan.string("argument", argument)?);
    }
    arguments.push(0);
    let arguments = plan.words(&arguments);
    let mut variables = Vec::with_capacity(spec.env.len() + 1);
    for (name, value) in &spec.env {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        variables.push(plan.string("environment variable", variable)?);
    }
    variables.push(0);
    let variables = plan.words(&variables);
    let call = Call::new(libc::SYS_execve)
        .with(program)
        .with(arguments)
        .with(variables);
    plan.push(
        Phase::Payload,
        format!("execute {}", spec.program.display()),
        call,
    );
    Ok(())
}

/// What init keeps once the program runs: its control socket and nothing else.
pub(crate) fn add_after(plan: &mut Plan) {
    let control = CONTROL.unsigned_abs();
    for (first, last) in [(0, control - 1), (control + 1, u32::MAX)] {
        let call = Call::new(libc::SYS_close_range)
            .with(u64::from(first))
            .with(u64::from(last))
            .with(0);
        plan.push(Phase::After, "close init's descriptors", call);
    }
}
