//! How the gateway reaches the operations, and what each call is about.

use std::sync::Arc;

use async_trait::async_trait;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::ops::own_group;
use crate::records::ScheduleId;
use crate::{OPERATIONS, Scheduler, generated};

/// Operations need the service shared; this is how the gateway shares it.
pub struct SchedulerService(pub Arc<Scheduler>);

#[async_trait]
impl Service for SchedulerService {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        dispatch(OPERATIONS, "Scheduler", &self.0, operation, context, input).await
    }

    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html>
    fn resource(&self, operation: &str, context: &RequestContext, input: &Value) -> String {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        if let Some(arn) = text("ResourceArn") {
            return arn.to_owned();
        }
        match text("Name") {
            Some(name) if operation.ends_with("Group") => {
                own_group(context, Some(name)).arn().to_string()
            }
            Some(name) => {
                let id = ScheduleId {
                    group: own_group(context, text("GroupName")),
                    name: name.to_owned(),
                };
                id.arn().to_string()
            }
            None => "*".to_owned(),
        }
    }
}
