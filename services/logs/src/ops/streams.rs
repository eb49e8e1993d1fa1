//! CreateLogStream, DeleteLogStream.

use service::{RequestContext, ServiceError};
use store::{Batch, StoreError};
use wire::Unit;

use super::State;
use crate::error;
use crate::generated::{CreateLogStreamRequest, DeleteLogStreamRequest};
use crate::records::{EVENTS, STREAMS, Stream, stream_key};

pub async fn create(
    logs: State,
    context: RequestContext,
    input: CreateLogStreamRequest,
) -> Result<Unit, ServiceError> {
    logs.group(&context, &input.log_group_name).await?;
    let key = stream_key(
        &context.account,
        &context.region,
        &input.log_group_name,
        &input.log_stream_name,
    );
    let mut batch = Batch::new();
    STREAMS.expect_absent(&mut batch, key);
    STREAMS
        .put(&mut batch, key, &Stream::created_at(context.received_at))
        .map_err(|error| error::unavailable(&error))?;
    match logs.store.commit(batch).await {
        Ok(()) => Ok(Unit {}),
        Err(StoreError::Conflict { .. }) => Err(error::stream_exists()),
        Err(error) => Err(error::unavailable(&error)),
    }
}

pub async fn delete(
    logs: State,
    context: RequestContext,
    input: DeleteLogStreamRequest,
) -> Result<Unit, ServiceError> {
    logs.group(&context, &input.log_group_name).await?;
    let _one_writer = logs.writer.lock().await;
    let key = stream_key(
        &context.account,
        &context.region,
        &input.log_group_name,
        &input.log_stream_name,
    );
    let stored = STREAMS
        .get(&logs.store, key)
        .await
        .map_err(|error| error::unavailable(&error))?;
    if stored.is_none() {
        return Err(error::stream_not_found());
    }
    let mut batch = Batch::new();
    STREAMS.delete(&mut batch, key);
    EVENTS.delete_prefix(&mut batch, key);
    logs.commit(Ok(batch)).await?;
    Ok(Unit {})
}
