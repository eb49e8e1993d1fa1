//! Executions of a function that has been deleted: they end, and go with it.

use std::sync::Arc;

use base::Timestamp;
use service::ServiceError;
use uuid::Uuid;

use super::Durable;
use super::records::{Failure, STARTS};
use super::state::Draft;
use crate::domain::function_name::FunctionName;
use crate::error;
use crate::generated::ExecutionStatus;

/// Records read at once.
const PAGE: usize = 200;

impl Durable {
    /// Stops and forgets what a function has begun until now, in the background. If the server ends
    /// meanwhile, what is left fails when its turn comes.
    pub fn forget_function(self: &Arc<Self>, name: FunctionName) {
        let (this, until) = (Arc::clone(self), self.now());
        tokio::spawn(async move {
            if let Err(error) = this.forget_until(&name, until).await {
                let function = name.unqualified_arn();
                tracing::warn!(%error, %function, "lambda: forget durable executions");
            }
        });
    }

    async fn forget_until(
        self: &Arc<Self>,
        name: &FunctionName,
        until: Timestamp,
    ) -> Result<(), ServiceError> {
        let (account, region) = (name.place.account.as_str(), name.place.region.as_str());
        let key = |millis: i64| (account, region, name.name.as_str(), millis);
        loop {
            let (first, last) = (key(i64::MIN), key(until.millis().saturating_add(1)));
            let page = STARTS.scan_range(&self.store, first, last, PAGE).await;
            let page = page.map_err(error::store_failed)?;
            if page.rows.is_empty() {
                return Ok(());
            }
            for row in page.rows {
                if let Ok(id) = row.value.parse() {
                    let (this, name) = (Arc::clone(self), name.clone());
                    Self::undisturbed(async move { this.forget_one(id, &name).await }).await?;
                }
            }
        }
    }

    async fn forget_one(
        self: &Arc<Self>,
        id: Uuid,
        name: &FunctionName,
    ) -> Result<(), ServiceError> {
        let Some(mut entered) = self.enter(id).await? else {
            return Ok(());
        };
        let arn = entered.head.arn();
        if !entered.head.is_closed() {
            let message = format!("Function not found: {}", name.unqualified_arn());
            let error = Failure::new("ResourceNotFoundException", message);
            let mut draft = Draft::of(&entered, self.now());
            draft.close(ExecutionStatus::Stopped, None, Some(error));
            let change = draft.done();
            self.commit(&mut entered, change).await?;
        }
        drop(entered);
        // Whoever waits for it is not left waiting.
        self.tell_parent(&arn).await?;
        match self.enter(id).await? {
            Some(mut entered) => self.remove(&mut entered).await,
            None => Ok(()),
        }
    }
}
