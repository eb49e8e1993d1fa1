//! Amazon SNS: topics, subscriptions, and messages on their way from one to the other.

mod deliver;
mod domain;
mod error;
mod generated;
mod ops;
mod records;
mod service_impl;
mod signing;
mod topics;

use std::sync::Arc;

use base::Clock;
use routing::deliveries::Deliveries;
use service::ports::{ApiCaller, Onlooker, WebClient};
use service::{Operation, ServiceError, operation};
use store::{Store, StoreError};

use generated as g;
use records::TopicId;
pub use service_impl::SnsService;
use signing::Signer;
use topics::Topics;

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub api: Arc<dyn ApiCaller>,
    pub web: Arc<dyn WebClient>,
    /// Who looks on, if anybody may.
    pub onlooker: Option<Arc<dyn Onlooker>>,
    /// Host and port of this server, for links in messages.
    pub authority: String,
}

/// What the operations work on.
pub struct Sns {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) authority: String,
    pub(crate) topics: Topics,
    pub(crate) deliveries: Arc<Deliveries>,
    /// Topics and subscriptions are read, changed and written by one at a time.
    pub(crate) writer: tokio::sync::Mutex<()>,
    /// Made when something is to be signed for the first time.
    signer: tokio::sync::OnceCell<Arc<Signer>>,
    pub(crate) onlooker: Option<Arc<dyn Onlooker>>,
}

/// Opens the service.
///
/// # Errors
/// When its records cannot be read.
pub async fn service(config: Config) -> Result<Arc<Sns>, StoreError> {
    let topics = Topics::open(&*config.store).await?;
    let deliveries = Deliveries::new(
        "sns.amazonaws.com",
        Arc::clone(&config.store),
        config.clock.clone(),
        config.api,
        config.web,
    );
    Ok(Arc::new(Sns {
        store: config.store,
        clock: config.clock,
        authority: config.authority,
        topics,
        deliveries,
        writer: tokio::sync::Mutex::new(()),
        signer: tokio::sync::OnceCell::new(),
        onlooker: config.onlooker,
    }))
}

impl Sns {
    /// Delivers what an earlier run left undelivered, and removes messages written down long ago.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn resume(&self) -> Result<(), StoreError> {
        ops::sms::forget_old(&*self.store, self.clock.now()).await?;
        self.deliveries.resume().await
    }

    pub(crate) async fn signer(&self) -> Result<Arc<Signer>, ServiceError> {
        let signer = self.signer.get_or_try_init(|| Signer::open(&*self.store));
        signer
            .await
            .map(Arc::clone)
            .map_err(|error| error::unavailable(&error))
    }

    /// What signs the messages of a topic, if any subscription gets them signed.
    pub(crate) async fn signer_for(
        &self,
        topic: &TopicId,
    ) -> Result<Option<Arc<Signer>>, ServiceError> {
        if deliver::wants_signature(&self.topics.subscriptions_of(topic)) {
            self.signer().await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// The certificate of a signature's URL, in PEM.
    pub async fn certificate(&self, name: &str) -> Option<String> {
        if !name.starts_with(signing::PREFIX) {
            return None;
        }
        let signer = self.signer().await.ok()?;
        (signer.name == name).then(|| signer.certificate.clone())
    }

    /// The last thousand messages that would have left this machine (SMS, e-mail, pushes), the
    /// newest first, of all accounts.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn outgoing(&self) -> Result<Vec<serde_json::Value>, StoreError> {
        ops::sms::outgoing(&*self.store).await
    }

    /// Begins no more deliveries.
    pub fn end(&self) {
        self.deliveries.end();
    }
}

/// What the service answers.
pub static OPERATIONS: &[Operation<Sns>] = &[
    operation!(g::AddPermission => ops::permissions::add),
    operation!(g::ConfirmSubscription => ops::confirm::confirm),
    operation!(g::CreatePlatformApplication => ops::applications::create),
    operation!(g::CreatePlatformEndpoint => ops::devices::create),
    operation!(g::CreateTopic => ops::topics::create),
    operation!(g::DeleteEndpoint => ops::devices::delete),
    operation!(g::DeletePlatformApplication => ops::applications::delete),
    operation!(g::DeleteTopic => ops::topics::delete),
    operation!(g::GetEndpointAttributes => ops::devices::get_attributes),
    operation!(g::GetPlatformApplicationAttributes => ops::applications::get_attributes),
    operation!(g::GetSMSAttributes => ops::sms::get_attributes),
    operation!(g::GetSubscriptionAttributes => ops::subscriptions::get_attributes),
    operation!(g::GetTopicAttributes => ops::topics::get_attributes),
    operation!(g::ListEndpointsByPlatformApplication => ops::devices::list),
    operation!(g::ListPlatformApplications => ops::applications::list),
    operation!(g::ListSubscriptions => ops::subscriptions::list),
    operation!(g::ListSubscriptionsByTopic => ops::subscriptions::list_by_topic),
    operation!(g::ListTagsForResource => ops::tags::list),
    operation!(g::ListTopics => ops::topics::list),
    operation!(g::Publish => ops::publish::publish),
    operation!(g::PublishBatch => ops::publish_batch::publish_batch),
    operation!(g::RemovePermission => ops::permissions::remove),
    operation!(g::SetEndpointAttributes => ops::devices::set_attributes),
    operation!(g::SetPlatformApplicationAttributes => ops::applications::set_attributes),
    operation!(g::SetSMSAttributes => ops::sms::set_attributes),
    operation!(g::SetSubscriptionAttributes => ops::subscriptions::set_attributes),
    operation!(g::SetTopicAttributes => ops::topics::set_attributes),
    operation!(g::Subscribe => ops::subscribe::subscribe),
    operation!(g::TagResource => ops::tags::tag),
    operation!(g::Unsubscribe => ops::subscriptions::unsubscribe),
    operation!(g::UntagResource => ops::tags::untag),
];
