//! How the gateway reaches the operations, and what each call is about.

use std::sync::Arc;

use async_trait::async_trait;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::domain::names;
use crate::{Events, OPERATIONS, generated};

/// Operations need the service shared; this is how the gateway shares it.
pub struct EventsService(pub Arc<Events>);

#[async_trait]
impl Service for EventsService {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        dispatch(
            OPERATIONS,
            "EventBridge",
            &self.0,
            operation,
            context,
            input,
        )
        .await
    }

    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html>
    fn resource(&self, operation: &str, context: &RequestContext, input: &Value) -> String {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        if let Some(arn) = text("ResourceARN") {
            return arn.to_owned();
        }
        let own = |name: &str| names::own(context, name);
        for (member, kind) in [("ArchiveName", "archive"), ("ReplayName", "replay")] {
            if let Some(name) = text(member) {
                return own(name).arn(kind).to_string();
            }
        }
        for (part, kind) in [
            ("Connection", "connection"),
            ("ApiDestination", "api-destination"),
        ] {
            if let Some(name) = text("Name").filter(|_| operation.ends_with(part)) {
                return own(name).arn(kind).to_string();
            }
        }
        let bus_of = |text: Option<&str>| names::bus(context, text).ok();
        if operation.ends_with("EventBus") {
            return bus_of(text("Name"))
                .map_or("*".to_owned(), |bus| bus.arn("event-bus").to_string());
        }
        let rule = text("Rule").or_else(|| text("Name").filter(|_| operation.ends_with("Rule")));
        if let (Some(rule), Some(bus)) = (rule, bus_of(text("EventBusName"))) {
            return bus.rule_arn(rule).to_string();
        }
        // Whoever names several buses at once must be allowed to use all.
        let entries = input.get("Entries").and_then(Value::as_list);
        let mut buses: Vec<_> = entries
            .unwrap_or_default()
            .iter()
            .map(|entry| bus_of(entry.get("EventBusName").and_then(Value::as_str)))
            .collect();
        buses.dedup();
        match (operation, buses.as_slice()) {
            ("PutEvents", [Some(bus)]) => bus.arn("event-bus").to_string(),
            ("PutPermission" | "RemovePermission", _) => bus_of(text("EventBusName"))
                .map_or("*".to_owned(), |bus| bus.arn("event-bus").to_string()),
            _ => "*".to_owned(),
        }
    }
}
