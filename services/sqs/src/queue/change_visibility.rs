//! Changing how long a received message stays hidden. In memory: a crash shows it again anyway.

use std::sync::Arc;
use std::time::Duration;

use service::ServiceError;

use super::{Elapsed, Queue};
use crate::domain::Fault;
use crate::domain::receipt::Receipt;
use crate::domain::visibility::ReceiptRefused;

impl Queue {
    /// Hides the message of a receipt for `timeout` from now; zero shows it at once.
    pub async fn change_visibility(
        self: &Arc<Self>,
        handle: &str,
        timeout: Duration,
    ) -> Result<(), ServiceError> {
        self.loaded().await?;
        let receipt = Receipt::parse(handle, self.id)?;
        let changed = self.with_contents(|contents, now| {
            let Receipt {
                sequence, receive, ..
            } = receipt;
            contents
                .backlog
                .change_visibility(sequence, receive, now, timeout)
        });
        match changed {
            Ok(None) => Ok(()),
            Ok(Some(receives)) => {
                self.write_down(Elapsed {
                    returned: vec![(receipt.sequence, receives)],
                    ..Elapsed::default()
                });
                Ok(())
            }
            Err(ReceiptRefused::BeyondLimit) => Err(Fault::parameter(
                timeout.as_secs(),
                "VisibilityTimeout",
                ReceiptRefused::BeyondLimit,
            )
            .into()),
            Err(refused) => Err(Fault::parameter(handle, "ReceiptHandle", refused).into()),
        }
    }
}
