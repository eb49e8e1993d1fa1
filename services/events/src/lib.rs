//! Amazon EventBridge: buses, rules on them, and what their targets get.

mod accept;
mod clockwork;
mod destinations;
mod directory;
mod domain;
mod error;
mod generated;
mod ops;
mod records;
mod replay;
mod service_impl;

use std::sync::Arc;

use base::Clock;
use parking_lot::Mutex;
use routing::deliveries::Deliveries;
use routing::schedule::Agenda;
use service::ports::{ApiCaller, Onlooker, WebClient};
use service::{Operation, operation};
use store::{Store, StoreError};
use tokio::task::JoinHandle;

use clockwork::Due;
use destinations::{Authorizer, Tokens};
use directory::Directory;
use generated as g;
pub use service_impl::EventsService;

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub api: Arc<dyn ApiCaller>,
    pub web: Arc<dyn WebClient>,
    /// Who looks on, if anybody may.
    pub onlooker: Option<Arc<dyn Onlooker>>,
}

/// What the operations work on.
pub struct Events {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) directory: Directory,
    pub(crate) deliveries: Arc<Deliveries>,
    /// Rules with a schedule, by when they are due.
    pub(crate) agenda: Arc<Agenda<Due>>,
    /// Buses, rules and archives are read, changed and written by one at a time.
    pub(crate) writer: tokio::sync::Mutex<()>,
    ticking: Mutex<Option<JoinHandle<()>>>,
    pub(crate) web: Arc<dyn WebClient>,
    pub(crate) tokens: Tokens,
    pub(crate) onlooker: Option<Arc<dyn Onlooker>>,
}

/// Opens the service.
///
/// # Errors
/// When its records cannot be read.
pub async fn service(config: Config) -> Result<Arc<Events>, StoreError> {
    let directory = Directory::open(&*config.store).await?;
    let deliveries = Deliveries::new(
        "events.amazonaws.com",
        Arc::clone(&config.store),
        config.clock.clone(),
        config.api,
        Arc::clone(&config.web),
    );
    let events = Arc::new(Events {
        store: config.store,
        clock: config.clock,
        directory,
        deliveries,
        agenda: Arc::default(),
        writer: tokio::sync::Mutex::new(()),
        ticking: Mutex::new(None),
        web: config.web,
        tokens: Tokens::default(),
        onlooker: config.onlooker,
    });
    let authorizer = Authorizer(Arc::downgrade(&events));
    events.deliveries.complete_by(Arc::new(authorizer));
    Ok(events)
}

impl Events {
    /// Delivers what an earlier run left undelivered, goes on with its replays, and starts the
    /// rules with a schedule.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        self.deliveries.resume().await?;
        self.resume_replays().await?;
        let ticking = clockwork::start(self).await?;
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

impl Drop for Events {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the service answers.
pub static OPERATIONS: &[Operation<Events>] = &[
    operation!(g::CancelReplay => ops::replays::cancel),
    operation!(g::CreateApiDestination => ops::api_destinations::create),
    operation!(g::CreateArchive => ops::archives::create),
    operation!(g::CreateConnection => ops::connections::create),
    operation!(g::CreateEventBus => ops::buses::create),
    operation!(g::DeauthorizeConnection => ops::connections::deauthorize),
    operation!(g::DeleteApiDestination => ops::api_destinations::delete),
    operation!(g::DeleteArchive => ops::archives::delete),
    operation!(g::DeleteConnection => ops::connections::delete),
    operation!(g::DeleteEventBus => ops::buses::delete),
    operation!(g::DeleteRule => ops::rules::delete),
    operation!(g::DescribeApiDestination => ops::api_destinations::describe),
    operation!(g::DescribeArchive => ops::archives::describe),
    operation!(g::DescribeConnection => ops::connections::describe),
    operation!(g::DescribeEventBus => ops::buses::describe),
    operation!(g::DescribeReplay => ops::replays::describe),
    operation!(g::DescribeRule => ops::rules::describe),
    operation!(g::DisableRule => ops::rules::disable),
    operation!(g::EnableRule => ops::rules::enable),
    operation!(g::ListApiDestinations => ops::api_destinations::list),
    operation!(g::ListArchives => ops::archives::list),
    operation!(g::ListConnections => ops::connections::list),
    operation!(g::ListEventBuses => ops::buses::list),
    operation!(g::ListReplays => ops::replays::list),
    operation!(g::ListRuleNamesByTarget => ops::rules::names_by_target),
    operation!(g::ListRules => ops::rules::list),
    operation!(g::ListTagsForResource => ops::tags::list),
    operation!(g::ListTargetsByRule => ops::targets::list),
    operation!(g::PutEvents => ops::put_events::put_events),
    operation!(g::PutPermission => ops::permissions::put),
    operation!(g::PutRule => ops::put_rule::put_rule),
    operation!(g::PutTargets => ops::targets::put),
    operation!(g::RemovePermission => ops::permissions::remove),
    operation!(g::RemoveTargets => ops::targets::remove),
    operation!(g::StartReplay => ops::replays::start),
    operation!(g::TagResource => ops::tags::tag),
    operation!(g::TestEventPattern => ops::test_event_pattern::test_event_pattern),
    operation!(g::UntagResource => ops::tags::untag),
    operation!(g::UpdateApiDestination => ops::api_destinations::update),
    operation!(g::UpdateArchive => ops::archives::update),
    operation!(g::UpdateConnection => ops::connections::update),
    operation!(g::UpdateEventBus => ops::buses::update),
];
