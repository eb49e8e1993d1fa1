//! What is attached to a function and belongs to none of its versions' content: it changes without
//! another version, and goes with what it is attached to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use service::ServiceError;

use crate::Lambda;
use crate::domain::event_invoke::EventInvoke;
use crate::domain::function_name::FunctionName;
use crate::domain::function_url::FunctionUrl;
use crate::function::Function;
use crate::records::FunctionRecord;

/// Part of a function's record. The keys are qualifiers: `$LATEST`, a version's number, an alias.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Attached {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub event_invoke: BTreeMap<String, EventInvoke>,
    /// Of `$LATEST` and aliases only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub urls: BTreeMap<String, FunctionUrl>,
    /// Of versions only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runtime_management: BTreeMap<String, RuntimeManagement>,
    /// Whether the function may reach itself again and again.
    #[serde(default)]
    pub allows_recursion: bool,
    /// The ARN of the function's code signing configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_signing_config: Option<String>,
}

/// When a version moves to another version of its runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeManagement {
    pub update_on: String,
    /// The one it stays with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_arn: Option<String>,
}

impl Attached {
    /// Without what is attached to a version or an alias that goes.
    pub fn detached(mut self, qualifier: &str) -> Self {
        self.event_invoke.remove(qualifier);
        self.urls.remove(qualifier);
        self.runtime_management.remove(qualifier);
        self
    }
}

impl Lambda {
    /// Changes what is attached to a function. Its environments live on.
    pub(crate) async fn attach<T>(
        &self,
        name: &FunctionName,
        change: impl FnOnce(&Function, &mut Attached) -> Result<T, ServiceError> + Send,
    ) -> Result<T, ServiceError> {
        self.functions.get(name)?;
        let changing = self.functions.change(&name.place).await;
        let before = changing.get(name)?;
        let mut attached = before.record.attached.clone();
        let answer = change(&before, &mut attached)?;
        if attached != before.record.attached {
            changing
                .put(FunctionRecord {
                    attached,
                    ..before.record.clone()
                })
                .await?;
        }
        Ok(answer)
    }
}
