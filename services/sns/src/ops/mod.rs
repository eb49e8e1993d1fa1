//! One file an operation, or a resource where operations are trivial.

pub mod applications;
pub mod confirm;
pub mod devices;
pub mod permissions;
pub mod publish;
pub mod publish_batch;
pub mod sms;
pub mod subscribe;
pub mod subscriptions;
pub mod tags;
pub mod topics;

use std::sync::Arc;

use service::{Principal, RequestContext, ServiceError};
use store::{Batch, StoreError};

use crate::Sns;
use crate::domain::{arn, permission};
use crate::error;
use crate::records::{TOPICS, Topic, TopicId};

pub type State = Arc<Sns>;

impl Sns {
    /// A topic that the caller may use; `action` is what for.
    pub(crate) fn topic(
        &self,
        context: &RequestContext,
        text: &str,
        action: &str,
    ) -> Result<(TopicId, Arc<Topic>), ServiceError> {
        let id = arn::topic(text, "TopicArn")?;
        self.topic_by_id(context, id, action)
    }

    pub(crate) fn topic_by_id(
        &self,
        context: &RequestContext,
        id: TopicId,
        action: &str,
    ) -> Result<(TopicId, Arc<Topic>), ServiceError> {
        // A service acts for an account too, whatever topic it names.
        let (caller, is_service) = match &context.principal {
            Principal::Service { source_account, .. } => {
                (source_account.unwrap_or(context.account), true)
            }
            _ => (context.account, false),
        };
        let found = self.topics.topic(&id);
        if id.account != caller {
            let arn = id.arn().to_string();
            let policy = found
                .as_ref()
                .and_then(|topic| topic.attributes.get("Policy"));
            if !policy.is_some_and(|policy| permission::allows(policy, context, action, &id)) {
                return Err(error::not_authorized(action, &arn));
            }
        }
        if id.region != context.region && !is_service {
            return Err(error::invalid("TopicArn"));
        }
        match found {
            Some(topic) => Ok((id, topic)),
            None => Err(error::topic_not_found()),
        }
    }

    /// Writes a topic and then remembers it.
    pub(crate) async fn save_topic(&self, id: TopicId, topic: Topic) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        let put = TOPICS.put(&mut batch, id.key(), &topic);
        self.commit(put.map(|()| batch)).await?;
        self.topics.put_topic(id, topic);
        Ok(())
    }

    pub(crate) async fn commit(
        &self,
        batch: Result<Batch, StoreError>,
    ) -> Result<(), ServiceError> {
        let committed = self.store.commit_made(batch).await;
        committed.map_err(|error| error::unavailable(&error))
    }
}
