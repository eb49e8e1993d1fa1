//! The operations other services reach by port: keyed by the model's member names, bodies whole.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use s3s::dto::{
    DeleteObjectInput, ETag, GetObjectInput, HeadObjectInput, ListObjectsV2Input, PutObjectInput,
    StreamingBlob,
};
use service::{RequestContext, ServiceError};
use wire::Value;

use crate::call::Call;
use crate::domain::object_key;
use crate::error::Error;
use crate::ops;
use crate::state::State;

/// Most bytes handed over at once: Lambda's largest code package, unzipped.
const MAX_BODY: i64 = 256 * 1024 * 1024;

pub async fn call(
    state: &Arc<State>,
    operation: &str,
    context: RequestContext,
    input: Value,
) -> Result<Value, ServiceError> {
    let state = Arc::clone(state);
    let call = Arc::new(Call::plain(context));
    let output = match operation {
        "GetObject" => get_object(state, call, input).await,
        "HeadObject" => head_object(state, call, input).await,
        "PutObject" => put_object(state, call, input).await,
        "DeleteObject" => delete_object(state, call, input).await,
        "ListObjectsV2" => list_objects(state, call, input).await,
        other => return Err(ServiceError::not_implemented("S3 by port", other)),
    };
    output.map_err(Error::into_service_error)
}

async fn get_object(state: Arc<State>, call: Arc<Call>, mut input: Value) -> Result<Value, Error> {
    let input = GetObjectInput {
        bucket: required(&mut input, "Bucket")?,
        key: required_key(&mut input)?,
        version_id: text(&mut input, "VersionId"),
        ..GetObjectInput::default()
    };
    let output = ops::get_object::get_object(state, call, input)
        .await?
        .output;
    let length = output.content_length.unwrap_or_default();
    if length > MAX_BODY {
        return Err(Error::bad_request(
            "EntityTooLarge",
            "The object is too large to hand over",
        ));
    }
    let body = collect(output.body).await?;
    Ok(Value::of_members([
        Some(("Body", Value::Blob(body))),
        Some(("ContentLength", Value::Int(length))),
        output.e_tag.as_ref().map(etag),
        text_member("ContentType", output.content_type),
        text_member("VersionId", output.version_id),
    ]))
}

async fn collect(body: Option<StreamingBlob>) -> Result<Bytes, Error> {
    let mut whole = BytesMut::new();
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            whole.extend_from_slice(&chunk.map_err(Error::Body)?);
        }
    }
    Ok(whole.freeze())
}

async fn head_object(state: Arc<State>, call: Arc<Call>, mut input: Value) -> Result<Value, Error> {
    let input = HeadObjectInput {
        bucket: required(&mut input, "Bucket")?,
        key: required_key(&mut input)?,
        version_id: text(&mut input, "VersionId"),
        ..HeadObjectInput::default()
    };
    let output = ops::get_object::head_object(state, call, input)
        .await?
        .output;
    let length = output.content_length;
    Ok(Value::of_members([
        length.map(|length| ("ContentLength", Value::Int(length))),
        output.e_tag.as_ref().map(etag),
        text_member("ContentType", output.content_type),
        text_member("VersionId", output.version_id),
    ]))
}

async fn put_object(state: Arc<State>, call: Arc<Call>, mut input: Value) -> Result<Value, Error> {
    let body = match input.take("Body") {
        Some(Value::Blob(body)) => body,
        _ => Bytes::new(),
    };
    let input = PutObjectInput {
        bucket: required(&mut input, "Bucket")?,
        key: required_key(&mut input)?,
        content_type: text(&mut input, "ContentType"),
        content_length: Some(body.len() as i64),
        body: Some(StreamingBlob::from(s3s::Body::from(body))),
        ..PutObjectInput::default()
    };
    let output = ops::put_object::put_object(state, call, input).await?;
    Ok(Value::of_members([
        output.e_tag.as_ref().map(etag),
        text_member("VersionId", output.version_id),
    ]))
}

async fn delete_object(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: Value,
) -> Result<Value, Error> {
    let input = DeleteObjectInput {
        bucket: required(&mut input, "Bucket")?,
        key: required_key(&mut input)?,
        version_id: text(&mut input, "VersionId"),
        ..DeleteObjectInput::default()
    };
    ops::delete_object::delete_object(state, call, input).await?;
    Ok(Value::Map(Vec::new()))
}

fn etag(etag: &ETag) -> (&'static str, Value) {
    ("ETag", Value::Str(format!("\"{}\"", etag.value())))
}

fn text_member(name: &str, value: Option<String>) -> Option<(&str, Value)> {
    value.map(|value| (name, Value::Str(value)))
}

/// Keys and sizes, a page at a time.
async fn list_objects(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: Value,
) -> Result<Value, Error> {
    let input = ListObjectsV2Input {
        bucket: required(&mut input, "Bucket")?,
        prefix: text(&mut input, "Prefix"),
        continuation_token: text(&mut input, "ContinuationToken"),
        ..ListObjectsV2Input::default()
    };
    let output = ops::list_objects::list_objects_v2(state, call, input).await?;
    let contents = output.contents.unwrap_or_default().into_iter();
    let contents = contents.map(|object| {
        Value::of_members([
            text_member("Key", object.key),
            object.size.map(|size| ("Size", Value::Int(size))),
        ])
    });
    Ok(Value::of_members([
        Some(("Contents", Value::List(contents.collect()))),
        text_member("NextContinuationToken", output.next_continuation_token),
    ]))
}

fn text(input: &mut Value, name: &str) -> Option<String> {
    match input.take(name) {
        Some(Value::Str(text)) => Some(text),
        _ => None,
    }
}

fn required(input: &mut Value, name: &str) -> Result<String, Error> {
    text(input, name)
        .ok_or_else(|| Error::invalid_request(format!("Missing required parameter: {name}")))
}

fn required_key(input: &mut Value) -> Result<String, Error> {
    let key = required(input, "Key")?;
    object_key::check(&key)?;
    Ok(key)
}
