//! Request bodies: collected within a bound for modelled services, streamed for S3.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use service::{Body, BoxError};

use crate::prompt_body::PromptBody;

/// Why a body could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is over {limit} bytes")]
    TooLarge { limit: usize },
    #[error("read the body: {0}")]
    Broken(BoxError),
}

/// Largest request each service takes, in bytes, as far as its own API does not say it better:
/// Lambda's 50 MB zip in base64 with its JSON around it, SQS's 1 MiB batch, and so on.
pub fn limit(signing_name: &str) -> usize {
    const MIB: usize = 1 << 20;
    match signing_name {
        "lambda" => 70_167_211,
        // 1 MiB of messages, of which a form or JSON may make thrice as much. A form without a signature
        // may be either's.
        "sqs" | "sns" | "events" | "form" => 8 * MIB,
        "logs" => 4 * MIB,
        // A batch's 16 MB of items, or a layer's part of 20 MiB, with base64 and JSON around them.
        "dynamodb" | "ecr" => 32 * MIB,
        // A definition of 10 MB, as a string of JSON.
        "apigateway" => 16 * MIB,
        _ => MIB,
    }
}

/// Reads a whole body of at most `limit` bytes, refusing before reading when its length is known.
pub async fn collect<B>(body: B, limit: usize) -> Result<Bytes, BodyError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge { limit });
    }
    match Limited::new(PromptBody::new(body), limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(BodyError::TooLarge { limit })
        }
        Err(error) => Err(BodyError::Broken(error)),
    }
}

/// A body of bytes at hand.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}
