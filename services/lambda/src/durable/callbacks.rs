//! Callbacks: somebody outside completes what the function waits for.

use std::sync::Arc;
use std::time::Duration;

use service::ServiceError;

use super::entered::Entered;
use super::records::{Detail, Failure};
use super::state::Draft;
use super::tokens::CallbackId;
use super::{Durable, refusals};
use crate::domain::function_name::Place;
use crate::generated::{EventType, OperationStatus};

/// How a callback ends.
pub enum Completion {
    Succeeded(Option<String>),
    /// Which may be without a word.
    Failed(Failure),
}

impl Durable {
    /// Completes a callback. The function is invoked to see it.
    ///
    /// # Errors
    /// There is no such callback, or no longer.
    pub async fn complete_callback(
        self: &Arc<Self>,
        id: String,
        from: Place,
        completion: Completion,
    ) -> Result<(), ServiceError> {
        let this = Arc::clone(self);
        Self::undisturbed(async move {
            let (mut entered, number) = this.enter_callback(&id, &from).await?;
            let mut draft = Draft::of(&entered, this.now());
            let now = draft.now;
            let (status, event) = match &completion {
                Completion::Succeeded(_) => {
                    (OperationStatus::Succeeded, EventType::CallbackSucceeded)
                }
                Completion::Failed(_) => (OperationStatus::Failed, EventType::CallbackFailed),
            };
            draft.change(number, |operation| {
                operation.status = status;
                operation.ended = Some(now);
                match completion {
                    Completion::Succeeded(result) => operation.result = result,
                    Completion::Failed(error) => operation.error = Some(error),
                }
            });
            draft.event(event, Some(number), Detail::None);
            draft.head.owed = true;
            let change = draft.done();
            this.commit(&mut entered, change).await
        })
        .await
    }

    /// Says that whoever is to complete a callback is still at it.
    ///
    /// # Errors
    /// There is no such callback, or no longer.
    pub async fn heartbeat(self: &Arc<Self>, id: String, from: Place) -> Result<(), ServiceError> {
        let this = Arc::clone(self);
        Self::undisturbed(async move {
            let (mut entered, number) = this.enter_callback(&id, &from).await?;
            let mut draft = Draft::of(&entered, this.now());
            let now = draft.now;
            draft.amend(number, |operation| {
                if let Some(callback) = &mut operation.callback {
                    callback.heartbeat_deadline = callback
                        .heartbeat
                        .map(|seconds| now + Duration::from_secs(seconds.into()));
                }
            });
            let change = draft.done();
            this.commit(&mut entered, change).await
        })
        .await
    }

    /// The execution whose callback it is, while it is open: not by a moment longer than it may be.
    async fn enter_callback(
        self: &Arc<Self>,
        text: &str,
        from: &Place,
    ) -> Result<(Entered, usize), ServiceError> {
        let id = CallbackId::parse(text).ok_or_else(refusals::invalid_callback)?;
        if id.execution.place != *from {
            return Err(refusals::callback_closed());
        }
        let number = usize::try_from(id.operation).map_err(|_| refusals::callback_closed())?;
        let entered = self.enter_named(&id.execution).await;
        let entered = entered.map_err(|error| {
            if error.is_server_fault() {
                error
            } else {
                refusals::callback_closed()
            }
        })?;
        let now = self.now();
        let is_open = entered.operations.get(number).is_some_and(|operation| {
            let is_named = operation.callback.as_ref().is_some_and(|it| it.id == text);
            let is_late = operation.next_due().is_some_and(|due| due <= now);
            is_named && operation.status == OperationStatus::Started && !is_late
        });
        if is_open && !entered.head.is_closed() {
            Ok((entered, number))
        } else {
            Err(refusals::callback_closed())
        }
    }
}
