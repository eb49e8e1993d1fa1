//! SnapStart: what a version is waiting for between its publication and its being Active.
//!
//! The answer to a publication does not wait for it. Until it is done, the version's State is
//! `Pending`, synchronous invocations of it are refused and asynchronous ones wait.

use std::sync::Arc;

use exec::PrepareError;
use oci::PullError;

use crate::containers::PullFailed;
use crate::function::{Preparation, Version};
use crate::generated::StateReasonCode;
use crate::runner::Runner;

impl Runner {
    /// Pulls the container image of a function that has just been made, in the background.
    pub fn begin_pull(self: &Arc<Self>, version: &Arc<Version>) {
        if version.record.code.container().is_none() {
            return;
        }
        version.set_preparation(Preparation::UnderWay);
        let (runner, version) = (Arc::clone(self), Arc::clone(version));
        tokio::spawn(async move {
            let preparation = runner.pull(&version).await;
            version.set_preparation(preparation);
            runner.expect(&version);
        });
    }

    async fn pull(&self, version: &Version) -> Preparation {
        let Some(container) = version.record.code.container() else {
            return Preparation::Done;
        };
        let place = version.record.place();
        let Err(why) = self.code.containers.image(container, &place).await else {
            return Preparation::Done;
        };
        let function = version.record.arn();
        tracing::warn!(%why, %function, "lambda: pull a container image");
        let code = match &why {
            PullFailed::Pull(PullError::NotFound) => StateReasonCode::ImageDeleted,
            PullFailed::Pull(PullError::Denied) => StateReasonCode::ImageAccessDenied,
            PullFailed::Pull(PullError::Unavailable(_)) | PullFailed::Internal(_) => {
                StateReasonCode::InternalError
            }
            PullFailed::Pull(_) | PullFailed::Invalid(_) => StateReasonCode::InvalidImage,
        };
        Preparation::NoImage {
            code,
            why: format!("{}: {why}", code.as_str()),
        }
    }

    /// Prepares a version that has just been published, in the background.
    pub fn begin_preparation(self: &Arc<Self>, version: &Arc<Version>) {
        if version.preparation() == Preparation::Done {
            self.begin_pull(version);
        }
        if !version.snap_starts() {
            return;
        }
        let (runner, version) = (Arc::clone(self), Arc::clone(version));
        tokio::spawn(async move {
            let preparation = match runner.prepare(&version).await {
                Ok(()) => Preparation::Done,
                Err(error) => {
                    let function = version.record.arn();
                    tracing::warn!(%error, %function, "lambda: prepare a version for SnapStart");
                    Preparation::Failed(error.to_string())
                }
            };
            version.set_preparation(preparation);
        });
    }

    /// Says that a version will be called soon, as whoever has just deployed it will: its runtime
    /// and its bytecode get ready in the background, and the session of its role.
    pub fn expect(self: &Arc<Self>, version: &Arc<Version>) {
        // It is not invoked, and what is published of it has environments of its own.
        if version.record.settings.capacity.is_some() {
            return;
        }
        let (runner, version) = (Arc::clone(self), Arc::clone(version));
        tokio::spawn(async move {
            // What is wrong is the first invocation's to tell.
            if let Ok(spec) = runner.spec_of(&version).await {
                let _ = spec.credentials.get().await;
                runner.exec.expect(spec).await;
            }
        });
    }

    /// The preparation itself: everything that is to be ready when the version is first invoked.
    async fn prepare(&self, version: &Version) -> Result<(), PrepareError> {
        let spec = self.spec_of(version).await?;
        self.exec.prepare(spec).await
    }
}
