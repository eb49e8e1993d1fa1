//! The beginning of an execution: once for a name, however often it is asked for.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html>

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use service::ServiceError;
use sha2::{Digest as _, Sha256};
use store::{Batch, StoreError};
use uuid::Uuid;

use super::arn::ExecutionArn;
use super::records::{HEADS, Head, NAMES, Parent};
use super::state::{Beginning, State};
use super::{Durable, MAX_SYNC_TIMEOUT, refusals};
use crate::domain::durable_config::DurableSettings;
use crate::error;
use crate::function::Version;
use crate::generated::ExecutionStatus;

/// What an execution is begun with.
pub struct Start {
    /// One is made up otherwise.
    pub name: Option<String>,
    pub payload: Bytes,
    /// Whether the caller waits for the end.
    pub is_sync: bool,
    pub trace: Option<String>,
    /// Of a function with tenants.
    pub tenant: Option<String>,
}

impl Durable {
    /// Begins an execution, or finds the one that was begun under the same name for the same.
    ///
    /// # Errors
    /// The name is taken by another; the execution may take longer than anybody waits.
    pub async fn start(
        self: &Arc<Self>,
        version: &Version,
        settings: &DurableSettings,
        start: Start,
    ) -> Result<ExecutionArn, ServiceError> {
        if start.is_sync && settings.execution_timeout > MAX_SYNC_TIMEOUT {
            return Err(refusals::too_long_to_wait());
        }
        let is_named = start.name.is_some();
        let input = String::from_utf8(start.payload.to_vec())
            .map_err(|_| error::invalid_content("The payload is not UTF-8."))?;
        let beginning = self.beginning(
            version,
            settings,
            New {
                name: start.name,
                input: Some(input),
                is_sync: start.is_sync,
                trace: start.trace,
                tenant: start.tenant,
                parent: None,
            },
        );
        let this = Arc::clone(self);
        Self::undisturbed(async move {
            // A name may be given up between the two looks at it, if seldom.
            for _ in 0..3 {
                if is_named && let Some(found) = this.find_same(&beginning.head).await? {
                    return Ok(found);
                }
                match this.begin(&beginning).await {
                    Ok(arn) => return Ok(arn),
                    Err(failed) if failed.is_conflict() => {}
                    Err(failed) => return Err(error::store_failed(failed)),
                }
            }
            Err(error::service_failed())
        })
        .await
    }

    /// What is to be stored of a new execution.
    pub(super) fn beginning(
        &self,
        version: &Version,
        settings: &DurableSettings,
        new: New,
    ) -> Beginning {
        let (record, now) = (&version.record, self.now());
        let id = Uuid::new_v4().to_string();
        let digest = Sha256::digest(new.input.as_deref().unwrap_or_default());
        let timeout = Duration::from_secs(settings.execution_timeout.into());
        let head = Head {
            account: record.account,
            region: record.region.clone(),
            function: record.name.clone(),
            version: record.version.to_string(),
            name: new.name.unwrap_or_else(|| Uuid::new_v4().to_string()),
            id,
            status: ExecutionStatus::Running,
            started: now,
            ended: None,
            timeout: settings.execution_timeout,
            retention: settings.retention_days,
            deadline: now + timeout,
            is_sync: new.is_sync,
            input_digest: hex::encode(digest),
            trace: new.trace,
            tenant: new.tenant,
            owed: true,
            retry_at: None,
            due: None,
            changes: 0,
            seen: 0,
            events: 0,
            written: 0,
            failures: 0,
            idle: 0,
            pause: None,
            last_control: None,
            parent: new.parent,
            plain_targets: 0,
        };
        Beginning {
            head,
            input: new.input,
        }
    }

    /// The execution that has the name already.
    async fn find_same(&self, wanted: &Head) -> Result<Option<ExecutionArn>, ServiceError> {
        let id = NAMES.get(&self.store, wanted.name_key()).await;
        let Some(id) = id.map_err(error::store_failed)? else {
            return Ok(None);
        };
        let head = HEADS.get(&self.store, &id).await;
        let Some(head) = head.map_err(error::store_failed)? else {
            return Ok(None);
        };
        // No tenant learns what another's execution came to.
        let is_same = head.version == wanted.version
            && head.input_digest == wanted.input_digest
            && head.tenant == wanted.tenant;
        if is_same {
            Ok(Some(head.arn()))
        } else {
            Err(refusals::already_started(&head.arn()))
        }
    }

    async fn begin(self: &Arc<Self>, beginning: &Beginning) -> Result<ExecutionArn, StoreError> {
        let mut batch = Batch::new();
        let state = beginning.clone().put(&mut batch)?;
        let staged = self
            .deliveries
            .stage(&mut batch, [self.status(&state.head)])?;
        self.store.commit(batch).await?;
        staged.send_off();
        self.begun(&state);
        Ok(state.head.arn())
    }

    /// What has just become durable goes its way.
    pub(super) fn begun(self: &Arc<Self>, state: &State) {
        if let Ok(id) = state.head.id.parse() {
            self.agenda.set(&id, state.head.due);
            self.launch(id);
        }
    }
}

/// What differs between new executions of a version.
pub(super) struct New {
    pub name: Option<String>,
    pub input: Option<String>,
    pub is_sync: bool,
    pub trace: Option<String>,
    pub tenant: Option<String>,
    pub parent: Option<Parent>,
}
