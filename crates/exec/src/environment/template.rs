//! SnapStart: a function that has been initialised is kept, and forked for each environment.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html>

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use base::Timestamp;
use parking_lot::Mutex;
use sandbox::{ForkSpec, Template};

use super::body::{Body, Maker, blocking};
use super::connections::Sockets;
use super::init::{Cause, FailedInit};
use super::link::{Lost, Readiness};
use super::start::{Launcher, StartError, Starting};
use super::{Environment, Idle, blueprint, egress};
use crate::config::{Outbound, Templates};
use crate::error::PrepareError;
use crate::frames::Kind;
use crate::function::{Code, FunctionKey, FunctionSpec};
use crate::info::EnvironmentState;
use crate::logs::Platform;
use crate::runtimes::Family;

/// The least that an init ahead of invocations may take; a function's timeout if that is longer.
/// <https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html>
const INIT_LIMIT: Duration = Duration::from_secs(130);
/// A template that nothing was forked from for this long is made again when it is needed.
const IDLE_LIMIT: Duration = Duration::from_hours(1);
/// How often it is looked at whether a template is still to be kept.
const LOOK: Duration = Duration::from_secs(10);
/// A template whose credentials have less than this left is made again.
const CREDENTIALS_MARGIN: Duration = Duration::from_mins(15);

/// A function kept as it is after its init.
pub(crate) struct Kept {
    /// In front: it ends before what it was made of.
    template: Arc<Template>,
    environment: Environment<Idle>,
    used: Mutex<Instant>,
    memory_bytes: u64,
}

impl Kept {
    /// Memory that its forks share until they write to it.
    pub(super) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Until when the credentials last that its init saw.
    pub(super) fn credentials_until(&self) -> Option<Timestamp> {
        self.environment.core.credentials_until
    }

    fn is_superfluous(&self) -> bool {
        self.template.forks() == 0 && self.used.lock().elapsed() > IDLE_LIMIT
    }
}

/// Where the template of a version is.
enum Stage {
    Making,
    Ready(Arc<Kept>),
    /// Not to be tried again with this revision.
    Impossible,
}

/// The templates of one server, with the revisions they are of.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<FunctionKey, (String, Stage)>>);

impl Shelf {
    /// Forgets the template of a version.
    pub(crate) fn retire(&self, key: &FunctionKey) {
        // Dropped without the lock: it ends processes.
        let removed = self.0.lock().remove(key);
        drop(removed);
    }

    /// Forgets all of them.
    pub(crate) fn close(&self) {
        let all = std::mem::take(&mut *self.0.lock());
        drop(all);
    }

    fn set(&self, function: &FunctionSpec, stage: Stage) {
        let mut shelf = self.0.lock();
        // Otherwise the version has been retired meanwhile.
        if let Some(entry) = shelf.get_mut(&function.key)
            && entry.0 == function.revision_id
        {
            entry.1 = stage;
        }
    }

    /// Whether it is now the caller's to make the template of this version.
    fn begin(&self, function: &FunctionSpec) -> bool {
        let mut shelf = self.0.lock();
        let known = shelf.get(&function.key);
        if known.is_some_and(|(revision, _)| *revision == function.revision_id) {
            return false;
        }
        let entry = (function.revision_id.clone(), Stage::Making);
        let replaced = shelf.insert(function.key.clone(), entry);
        drop(shelf);
        drop(replaced);
        true
    }

    fn ready(&self, function: &FunctionSpec) -> Option<Arc<Kept>> {
        let shelf = self.0.lock();
        match shelf.get(&function.key)? {
            (revision, Stage::Ready(kept)) if *revision == function.revision_id => {
                Some(Arc::clone(kept))
            }
            _ => None,
        }
    }
}

impl Launcher {
    /// Makes the template of a version, if it is to have one and this host can make it; otherwise
    /// its environments start in the ordinary way.
    pub(crate) async fn prepare(
        self: &Arc<Self>,
        function: &Arc<FunctionSpec>,
    ) -> Result<(), PrepareError> {
        if !self.wants_template(function) || !self.shelf.begin(function) {
            return Ok(());
        }
        let made = self.make_template(function).await;
        let stage = match &made {
            Ok(Some(kept)) => Stage::Ready(Arc::clone(kept)),
            Ok(None) | Err(_) => Stage::Impossible,
        };
        self.shelf.set(function, stage);
        if let Some(kept) = made? {
            tokio::spawn(look_after(
                Arc::downgrade(self),
                Arc::clone(function),
                Arc::downgrade(&kept),
            ));
        }
        Ok(())
    }

    /// The same in the background; what fails is the next invocation's to tell.
    fn prepare_later(self: Arc<Self>, function: Arc<FunctionSpec>) {
        // Boxed, since a start may begin it and it begins a start.
        let preparation: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            if let Err(error) = self.prepare(&function).await {
                tracing::debug!(%error, function = %function.key, "make a template");
            }
        });
        tokio::spawn(preparation);
    }

    fn wants_template(&self, function: &FunctionSpec) -> bool {
        let asked = match self.config.templates {
            Templates::Never => false,
            Templates::Asked => function.snap_start,
            Templates::Always => true,
        };
        asked
            && function.runtime.family() == Family::Python
            && matches!(function.code, Code::Image(_))
            && blueprint::extensions(function).is_empty()
            && self.host.templates_missing().is_none()
    }

    /// `None` where the function is well, but cannot be kept.
    async fn make_template(
        self: &Arc<Self>,
        function: &Arc<FunctionSpec>,
    ) -> Result<Option<Arc<Kept>>, PrepareError> {
        let limit = INIT_LIMIT.max(function.timeout);
        let starting = Starting {
            function: Arc::clone(function),
            log_stream: None,
            tail: false,
            provisioned: false,
            template: true,
        };
        let started = self.start(starting).await;
        let environment = started.map_err(|error| match error {
            StartError::Entrypoint(program) => PrepareError::Init(program.reason),
            StartError::Other(error) => PrepareError::Start(error),
        })?;
        let began = Instant::now();
        let failed = |failed: FailedInit| PrepareError::Init(failed.describe());
        let environment = environment.init(limit).await.map_err(failed)?;
        let kept = environment.keep(began, limit).await?;
        if let Some(kept) = &kept {
            let (outbound, _) = egress::outbound(self.config.outbound, function);
            self.maker.expect(&kept.template, outbound);
        }
        Ok(kept)
    }

    /// A fork of the function's template; `None` where there is none yet, or it cannot be forked.
    pub(super) async fn restore(
        self: &Arc<Self>,
        function: &Arc<FunctionSpec>,
        outbound: Outbound,
        cpu_millis: u32,
    ) -> Option<(Body, Arc<Kept>)> {
        if !self.wants_template(function) {
            return None;
        }
        let Some(kept) = self.shelf.ready(function) else {
            let (launcher, function) = (Arc::clone(self), Arc::clone(function));
            launcher.prepare_later(function);
            return None;
        };
        *kept.used.lock() = Instant::now();
        match self
            .maker
            .restore(&kept, function, outbound, cpu_millis)
            .await
        {
            Ok(body) => Some((body, kept)),
            Err(error) => {
                tracing::warn!(?error, function = %function.key, "fork a template");
                self.shelf.set(function, Stage::Impossible);
                None
            }
        }
    }
}

impl Maker {
    /// Has a template make ready for its first fork.
    fn expect(&self, template: &Template, outbound: Outbound) {
        let expected =
            Sockets::open(outbound, self.gateway).map(|(_, network)| template.expect(&network));
        if !matches!(expected, Ok(Ok(()))) {
            tracing::debug!(?expected, "make ready for a fork of a template");
        }
    }

    async fn restore(
        &self,
        kept: &Kept,
        function: &FunctionSpec,
        outbound: Outbound,
        cpu_millis: u32,
    ) -> Result<Body, StartError> {
        let limits = blueprint::limits(function, cpu_millis);
        let template = Arc::clone(&kept.template);
        self.fork_with(outbound, limits, move |spec: ForkSpec| template.fork(spec))
            .await
    }
}

impl Environment<Idle> {
    /// Keeps it from here on, once its hooks for that have run, which are part of an init that began
    /// then.
    async fn keep(
        mut self,
        began: Instant,
        limit: Duration,
    ) -> Result<Option<Arc<Kept>>, PrepareError> {
        let left = limit.saturating_sub(began.elapsed());
        let core = &mut *self.core;
        let snapshot = async {
            tokio::select! {
                biased;
                readiness = core.link.snapshot() => readiness,
                () = core.exit.ended() => Err(Lost::Ended),
            }
        };
        let cause = match tokio::time::timeout(left, snapshot).await {
            Ok(Ok(Readiness::Ready { .. })) => None,
            Ok(Ok(Readiness::Failed {
                error_type,
                document,
            })) => Some(Cause::Error {
                error_type,
                document,
            }),
            Ok(Err(lost)) => Some(Cause::Exited(core.exit.cause(&core.sandbox, lost).await)),
            Err(_) => Some(Cause::Timeout),
        };
        if let Some(cause) = cause {
            let failed = self.fail(cause, began.elapsed());
            return Err(PrepareError::Init(failed.describe()));
        }
        let tell = core.link.socket().map(|socket| socket.sender(Kind::Fork));
        let Some(Ok(tell)) = tell else {
            return Ok(None);
        };
        let sandbox = Arc::clone(&core.sandbox);
        match blocking(move || Template::hold(sandbox, tell)).await {
            Ok(Ok(template)) => {
                core.registration.is_now(EnvironmentState::Template);
                // What its init wrote belongs to no invocation that would send it off.
                core.log.finish([]);
                Ok(Some(Arc::new(Kept {
                    memory_bytes: template.memory_bytes(),
                    template: Arc::new(template),
                    environment: self,
                    used: Mutex::new(Instant::now()),
                })))
            }
            outcome => {
                let error =
                    outcome.map(|outcome| outcome.map(|_| ()).map_err(|error| cause_of(&error)));
                tracing::warn!(?error, function = %core.function.key, "keep a function as a template");
                let warning = "warning: SnapStart keeps no snapshot of this version";
                core.log.note(&Platform::Note(warning.to_owned()));
                Ok(None)
            }
        }
    }
}

fn cause_of(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Gives a template up when it is not worth its memory, or good for nothing any more.
async fn look_after(launcher: Weak<Launcher>, function: Arc<FunctionSpec>, kept: Weak<Kept>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let (Some(launcher), Some(kept)) = (launcher.upgrade(), kept.upgrade()) else {
            return;
        };
        let now = launcher.ports.clock.now();
        let until = kept.credentials_until();
        let is_over =
            until.is_some_and(|until| until < now + CREDENTIALS_MARGIN + function.timeout);
        let unused = kept.template.forks() == 0;
        if is_over
            || kept.template.has_ended()
            || kept.is_superfluous()
            || unused && launcher.config.is_memory_short()
        {
            let is_current = launcher.shelf.ready(&function);
            if is_current.is_some_and(|current| Arc::ptr_eq(&current, &kept)) {
                launcher.shelf.retire(&function.key);
            }
            return;
        }
    }
}
