//! Templates: programs that have become their function, and are forked for each environment of it.
//!
//! A template is an ordinary sandbox, and what runs in it is not trusted. It is caught in the moment
//! it forks and from then on runs no instruction of its own: a thread of the server traces it, has
//! it clone itself, and has the clone make those system calls that make it a sandbox of its own.
//! docs/decisions/0011-templates.md says why that is safe.

mod birth;
mod hatch;
mod hold;
mod processor;
mod seat;
mod tracee;
mod witness;

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::fchown;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use birth::{Born, Wanted};
use hold::Held;
use seat::{Reach, Seat};

use crate::SandboxError;
use crate::cgroup::Cgroup;
use crate::host::{Host, Inner};
use crate::launch::unreadable_init_file;
use crate::plan::{Call, Phase};
use crate::process;
use crate::sandbox::Sandbox;
use crate::spec::{ForkSpec, Network, Stream};
use crate::start::{Start, inherited};
use crate::steps::identity::User;
use crate::steps::{identity, landlock, payload, root_view};
use crate::worker::Worker;

/// A program that is kept at its fork. Its sandbox lasts as long as any that was forked from it.
#[derive(Debug)]
pub struct Template(Arc<Kept>);

/// What a template's forks need to go on living.
#[derive(Debug)]
pub(crate) struct Kept {
    /// In front: the thread that traces it has to end before it does.
    tracer: Worker<Errand>,
    sandbox: Arc<Sandbox>,
    program: u32,
    uid: u32,
    init: File,
    /// For the next fork. After the tracer, whose end ends it.
    seat: NextSeat,
}

type NextSeat = Arc<Mutex<Option<Seat>>>;

/// What the tracer is to do.
#[derive(Debug)]
enum Errand {
    /// A fork to make, and where its outcome is waited for.
    Fork(Box<Wanted>, SyncSender<Result<Born, SandboxError>>),
    /// The next one will be of this kind.
    Expect(Reach),
}

impl Host {
    /// Why no template can be made on this host; `None` if they can.
    pub fn templates_missing(&self) -> Option<&'static str> {
        if !cfg!(target_arch = "x86_64") {
            return Some("they are made for x86_64 only");
        }
        if !self.arc().is_root {
            return Some("they need root");
        }
        let setting = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        if setting("/proc/sys/user/max_user_namespaces").trim() == "0" {
            return Some("user namespaces are turned off");
        }
        if setting("/proc/sys/kernel/yama/ptrace_scope").trim() == "3" {
            return Some("ptrace is turned off");
        }
        if setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").trim() == "1" {
            return Some("AppArmor restricts user namespaces");
        }
        None
    }
}

impl Template {
    /// Makes a template of a sandbox that was started with [`crate::Spec::template`]. `tell` is to
    /// have its program fork, as the C library does it, with nothing but the wait for `tell`
    /// before. Its other processes are killed, its other threads stop for good. Blocks for some
    /// milliseconds.
    ///
    /// # Errors
    /// When it does not fork within five seconds, or has memory that its forks would share. The
    /// sandbox is then good for nothing.
    pub fn hold(
        sandbox: Arc<Sandbox>,
        tell: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<Self, SandboxError> {
        let program = sandbox.program_pid().ok_or(SandboxError::Ended)?;
        let uid = sandbox.uid.as_ref().map(|lease| lease.uid);
        let uid = uid.ok_or(SandboxError::NotOpen)?;
        let init = unreadable_init_file()?;
        let (caught, is_caught) = sync_channel(1);
        let seat = NextSeat::default();
        let (host, next) = (Arc::clone(&sandbox.host), Arc::clone(&seat));
        let tracer = Worker::start("template", move |errands: Receiver<Errand>| {
            let (held, outcome) = match Held::catch(program, tell) {
                Ok(held) => (Some(held), Ok(())),
                Err(error) => (None, Err(error)),
            };
            let _ = caught.send(outcome);
            if let Some(held) = held {
                serve(&errands, &held, &host, uid, &next);
            }
        })?;
        let caught = is_caught
            .recv()
            .unwrap_or_else(|_| Err(io::Error::other("thread ended")));
        caught.map_err(SandboxError::host("hold a template"))?;
        Ok(Self(Arc::new(Kept {
            tracer,
            sandbox,
            program,
            uid,
            init,
            seat,
        })))
    }

    /// Memory of its own, in bytes: what is in no file.
    pub fn memory_bytes(&self) -> u64 {
        process::anonymous(self.0.program)
    }

    /// Its program, as the host sees it.
    pub fn pid(&self) -> u32 {
        self.0.program
    }

    /// Whether it can be forked no more.
    pub fn has_ended(&self) -> bool {
        !matches!(self.0.sandbox.program_has_ended(), Ok(false))
    }

    /// How many sandboxes live that were forked from it.
    pub fn forks(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    /// Makes ready for a fork with this network, in the background.
    pub fn expect(&self, network: &Network) -> Result<(), SandboxError> {
        let errand = Errand::Expect(Reach::of(network)?);
        self.0.tracer.send(errand).map_err(|_| SandboxError::Ended)
    }

    /// Forks a sandbox, whose program goes on from the template's fork as its child. It has the
    /// template's view but for `/tmp`, its user, and no file open but those of the spec. Blocks for
    /// some milliseconds.
    pub fn fork(&self, mut spec: ForkSpec) -> Result<Sandbox, SandboxError> {
        let host = &self.0.sandbox.host;
        let reach = Reach::of(&std::mem::take(&mut spec.network))?;
        let ready = lock(&self.0.seat).take();
        let mut ready = ready.filter(|seat| seat.reach == reach);
        let cgroup = ready.as_mut().and_then(|seat| seat.cgroup.take());
        let mut start = Start::new(host, cgroup, spec.limits, None, Cgroup::limit)?;
        start.add_hostname(&spec.hostname)?;
        for stream in [&spec.stdio.stdin, &spec.stdio.stdout, &spec.stdio.stderr] {
            if let Stream::Fd(fd) = stream {
                // Only its owner can open `/dev/stdout` on it.
                let owned = fchown(fd, Some(self.0.uid), Some(self.0.uid));
                owned.map_err(SandboxError::host("own a pipe"))?;
            }
        }
        root_view::add_forked(&mut start.plan, start.tmp, None)?;
        let top = start.plan.string("path", "/")?;
        let enter = Call::new(libc::SYS_chdir).with(top);
        start.plan.push(Phase::Setup, "enter the root", enter);
        let before = start.plan.count(Phase::Setup);
        identity::add(
            &mut start.plan,
            Phase::Setup,
            User::Bounded,
            host.last_capability,
        );
        identity::die_with_server(&mut start.plan);
        let shed = start.plan.count(Phase::Setup) - before;
        let inherited = inherited(host, &spec.stdio, &spec.inherit);
        let descriptors: Vec<RawFd> = inherited.iter().map(|one| one.target).collect();
        start.add_limits_and_descriptors(&inherited);
        if let Some(abi) = host.landlock {
            landlock::add(&mut start.plan, abi)?;
        }
        payload::close_others(&mut start.plan, &inherited);
        start.parent = Some(Arc::clone(&self.0));
        let born = Cell::new(None);
        start.launch_as(
            |order| {
                let Born {
                    clone,
                    program,
                    network,
                } = self.order(Wanted {
                    order,
                    uid: self.0.uid,
                    init: self.0.init.as_raw_fd(),
                    seat: ready,
                    reach,
                    shed,
                    descriptors,
                })?;
                born.set(Some((program, network)));
                Ok(clone)
            },
            |_, _, network| {
                let (program, own) = born.take().ok_or(SandboxError::Ended)?;
                network.listeners = own.map(|own| own.listeners).unwrap_or_default();
                Ok(program)
            },
        )
    }

    fn order(&self, wanted: Wanted) -> Result<Born, SandboxError> {
        let gone = || SandboxError::Unresponsive {
            what: "a template's thread",
        };
        let (answer, answered) = sync_channel(1);
        let errand = Errand::Fork(Box::new(wanted), answer);
        self.0.tracer.send(errand).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }
}

/// Makes forks, and between them what the next one will need.
fn serve(errands: &Receiver<Errand>, held: &Held, host: &Arc<Inner>, uid: u32, next: &NextSeat) {
    let mut expected = None;
    loop {
        let errand = errands.try_recv().or_else(|_| {
            if let Some(reach) = expected.take() {
                make_ready(held, host, uid, reach, next);
            }
            errands.recv()
        });
        match errand {
            Ok(Errand::Fork(wanted, answer)) => {
                expected = Some(wanted.reach.clone());
                let _ = answer.send(birth::fork(held, host, *wanted));
            }
            Ok(Errand::Expect(reach)) => expected = Some(reach),
            Err(_) => return,
        }
    }
}

fn make_ready(held: &Held, host: &Arc<Inner>, uid: u32, reach: Reach, next: &NextSeat) {
    if lock(next).is_some() {
        return;
    }
    match Seat::ahead(held, host, uid, reach) {
        Ok(seat) => *lock(next) = Some(seat),
        // The next fork tells whether that stays so.
        Err(error) => tracing::warn!(%error, "make ready for a fork of a template"),
    }
}

fn lock(seat: &NextSeat) -> MutexGuard<'_, Option<Seat>> {
    seat.lock().unwrap_or_else(PoisonError::into_inner)
}
