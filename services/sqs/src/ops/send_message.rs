//! SendMessage.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use crate::domain::message_attributes::{AttributeValue, Content, MessageAttributes, check_count};
use crate::domain::send::Outgoing;
use crate::domain::{Fault, body, digest};
use crate::generated::{
    MessageAttributeValue, MessageSystemAttributeValue, SendMessageRequest, SendMessageResult,
};
use crate::{Sqs, error};

const TRACE_HEADER: &str = "AWSTraceHeader";

/// Answers once the message is durable.
pub async fn send_message(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: SendMessageRequest,
) -> Result<SendMessageResult, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let system = system_attributes(input.message_system_attributes)?;
    let outgoing = Outgoing {
        body: input.message_body,
        attributes: message_attributes(input.message_attributes)?,
        trace_header: trace_header(&system).or_else(|| context.trace.clone()),
        delay_seconds: input.delay_seconds.map(i64::from),
        group_id: input.message_group_id,
        deduplication_id: input.message_deduplication_id,
    };
    let now = sqs.shared.clock.now();
    let prepared = outgoing.prepare(&queue.record().attributes, context.principal.id(), now)?;
    let sent = queue.send(vec![prepared]).await?;
    let sent = sent.into_iter().next().ok_or_else(ServiceError::internal)?;
    Ok(SendMessageResult {
        message_id: Some(sent.message_id),
        md5_of_message_body: Some(sent.body_digest),
        md5_of_message_attributes: sent.attributes_digest,
        md5_of_message_system_attributes: digest::of_attributes(&system),
        sequence_number: sent.sequence_number,
    })
}

/// Checks the attributes of a request.
pub fn message_attributes(
    given: Option<BTreeMap<String, MessageAttributeValue>>,
) -> Result<MessageAttributes, ServiceError> {
    let given = given.unwrap_or_default();
    check_count(given.len())?;
    let checked = given.into_iter().map(|(name, value)| {
        let MessageAttributeValue {
            data_type,
            string_value,
            binary_value,
            ..
        } = value;
        let value = AttributeValue::check(&name, &data_type, string_value, binary_value)?;
        Ok((name, value))
    });
    checked.collect::<Result<_, Fault>>().map_err(Into::into)
}

/// Checks the system attributes of a request: AWS knows one for sends, the trace header.
pub fn system_attributes(
    given: Option<BTreeMap<String, MessageSystemAttributeValue>>,
) -> Result<MessageAttributes, ServiceError> {
    let checked = given.unwrap_or_default().into_iter().map(|(name, value)| {
        if name != TRACE_HEADER {
            return Err(error::invalid_parameter_value(format!(
                "Message system attribute name '{name}' is invalid."
            )));
        }
        if value.data_type != "String" {
            return Err(error::invalid_parameter_value(format!(
                "Message system attribute '{name}' must be of type String."
            )));
        }
        let text = value
            .string_value
            .filter(|text| !text.is_empty())
            .ok_or_else(|| {
                error::invalid_parameter_value(format!(
                    "Message system attribute '{name}' must contain a non-empty value of type \
                 'String'."
                ))
            })?;
        if !text.chars().all(body::is_allowed) {
            return Err(Fault::MessageContents(format!(
                "Message system attribute '{name}' contains characters outside the allowed set."
            ))
            .into());
        }
        let value = AttributeValue {
            data_type: value.data_type,
            content: Content::Text(text),
        };
        Ok((name, value))
    });
    checked.collect()
}

pub fn trace_header(system: &MessageAttributes) -> Option<String> {
    match &system.get(TRACE_HEADER)?.content {
        Content::Text(text) => Some(text.clone()),
        Content::Binary(_) => None,
    }
}
