//! The operations, by resource.

pub mod groups;
pub mod schedules;
pub mod tags;

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::{Batch, StoreError};

use crate::records::{DEFAULT_GROUP, Group, GroupId};
use crate::{Scheduler, error};

pub type State = Arc<Scheduler>;

pub fn own_group(context: &RequestContext, name: Option<&str>) -> GroupId {
    GroupId {
        account: context.account,
        region: context.region.clone(),
        name: name.unwrap_or(DEFAULT_GROUP).to_owned(),
    }
}

impl Scheduler {
    /// Every account has a default group.
    pub(crate) fn group(&self, id: &GroupId) -> Result<Arc<Group>, ServiceError> {
        match self.groups.read().get(id) {
            Some(group) => Ok(Arc::clone(group)),
            None if id.name == DEFAULT_GROUP => Ok(Arc::default()),
            None => Err(error::group_not_found(&id.name)),
        }
    }

    pub(crate) async fn commit(
        &self,
        batch: Result<Batch, StoreError>,
    ) -> Result<(), ServiceError> {
        let committed = self.store.commit_made(batch).await;
        committed.map_err(|error| error::unavailable(&error))
    }
}
