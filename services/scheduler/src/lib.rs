//! Amazon EventBridge Scheduler: calls at a time, at a rate, or by the calendar.

mod clockwork;
mod domain;
mod error;
mod generated;
mod ops;
mod records;
mod service_impl;

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Clock;
use parking_lot::{Mutex, RwLock};
use routing::deliveries::Deliveries;
use routing::schedule::Agenda;
use service::ports::{ApiCaller, WebClient};
use service::{Operation, operation};
use store::{Store, StoreError};
use tokio::task::JoinHandle;

use generated as g;
use records::{Group, GroupId, Schedule, ScheduleId};
pub use service_impl::SchedulerService;

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub api: Arc<dyn ApiCaller>,
    pub web: Arc<dyn WebClient>,
    /// Whether any operation may be a target. Calls from inside are not held to a role's policies,
    /// so where policies count only the templated targets are there.
    pub calls_anything: bool,
}

/// What the operations work on.
pub struct Scheduler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) calls_anything: bool,
    pub(crate) groups: RwLock<BTreeMap<GroupId, Arc<Group>>>,
    pub(crate) schedules: RwLock<BTreeMap<ScheduleId, Arc<Schedule>>>,
    pub(crate) agenda: Arc<Agenda<ScheduleId>>,
    pub(crate) deliveries: Arc<Deliveries>,
    /// Groups and schedules are read, changed and written by one at a time.
    pub(crate) writer: tokio::sync::Mutex<()>,
    ticking: Mutex<Option<JoinHandle<()>>>,
}

/// Opens the service.
///
/// # Errors
/// When its records cannot be read.
pub async fn service(config: Config) -> Result<Arc<Scheduler>, StoreError> {
    let groups = records::all_groups(&*config.store).await?;
    let schedules = records::all_schedules(&*config.store).await?;
    let deliveries = Deliveries::new(
        "scheduler.amazonaws.com",
        Arc::clone(&config.store),
        config.clock.clone(),
        config.api,
        config.web,
    );
    Ok(Arc::new(Scheduler {
        store: config.store,
        clock: config.clock,
        calls_anything: config.calls_anything,
        groups: RwLock::new(groups),
        schedules: RwLock::new(schedules),
        agenda: Arc::default(),
        deliveries,
        writer: tokio::sync::Mutex::new(()),
        ticking: Mutex::new(None),
    }))
}

impl Scheduler {
    /// Delivers what an earlier run left undelivered, and starts the schedules.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        self.deliveries.resume().await?;
        let ticking = clockwork::start(self);
        if let Some(before) = self.ticking.lock().replace(ticking) {
            before.abort();
        }
        Ok(())
    }

    /// Begins nothing more.
    pub fn end(&self) {
        if let Some(ticking) = self.ticking.lock().take() {
            ticking.abort();
        }
        self.deliveries.end();
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the service answers.
pub static OPERATIONS: &[Operation<Scheduler>] = &[
    operation!(g::CreateSchedule => ops::schedules::create),
    operation!(g::CreateScheduleGroup => ops::groups::create),
    operation!(g::DeleteSchedule => ops::schedules::delete),
    operation!(g::DeleteScheduleGroup => ops::groups::delete),
    operation!(g::GetSchedule => ops::schedules::get),
    operation!(g::GetScheduleGroup => ops::groups::get),
    operation!(g::ListScheduleGroups => ops::groups::list),
    operation!(g::ListSchedules => ops::schedules::list),
    operation!(g::ListTagsForResource => ops::tags::list),
    operation!(g::TagResource => ops::tags::tag),
    operation!(g::UntagResource => ops::tags::untag),
    operation!(g::UpdateSchedule => ops::schedules::update),
];
