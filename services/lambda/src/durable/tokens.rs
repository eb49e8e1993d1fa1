//! Checkpoint tokens and callback ids: who may write to an execution, and when.
//!
//! A checkpoint token names the execution, an invocation by a number that nobody can guess, and how
//! many checkpoints that invocation has made. The number is kept in memory alone: after a restart,
//! no token of before is good.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use super::arn::ExecutionArn;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointToken {
    pub execution: Uuid,
    pub invocation: Uuid,
    pub sequence: u64,
}

/// 16 bytes of the execution, 16 of the invocation, 8 of the sequence.
const TOKEN_BYTES: usize = 40;

impl CheckpointToken {
    pub fn text(&self) -> String {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.extend_from_slice(self.execution.as_bytes());
        bytes.extend_from_slice(self.invocation.as_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        STANDARD.encode(bytes)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let bytes: &[u8; TOKEN_BYTES] = bytes.as_slice().try_into().ok()?;
        Some(Self {
            execution: Uuid::from_slice(&bytes[..16]).ok()?,
            invocation: Uuid::from_slice(&bytes[16..32]).ok()?,
            sequence: u64::from_be_bytes(bytes[32..].try_into().ok()?),
        })
    }
}

/// What an outsider completes a callback with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackId {
    pub execution: ExecutionArn,
    /// The operation's number.
    pub operation: u64,
    /// That nobody can guess.
    pub secret: String,
}

impl CallbackId {
    pub fn new(execution: ExecutionArn, operation: u64) -> Self {
        Self {
            execution,
            operation,
            secret: Uuid::new_v4().simple().to_string(),
        }
    }

    pub fn text(&self) -> String {
        let text = format!("{} {} {}", self.execution, self.operation, self.secret);
        STANDARD.encode(text)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let decoded = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let mut parts = decoded.split(' ');
        let parsed = Self {
            execution: ExecutionArn::parse(parts.next()?)?,
            operation: parts.next()?.parse().ok()?,
            secret: parts.next()?.to_owned(),
        };
        parts.next().is_none().then_some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_token_is_read_again() {
        let token = CheckpointToken {
            execution: Uuid::new_v4(),
            invocation: Uuid::new_v4(),
            sequence: 7,
        };
        assert_eq!(CheckpointToken::parse(&token.text()), Some(token));
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:1/durable-execution/n/i";
        let id = CallbackId::new(ExecutionArn::parse(arn).unwrap(), 3);
        assert_eq!(CallbackId::parse(&id.text()), Some(id.clone()));
        assert!(id.text().len() < 1_024);
    }

    proptest! {
        #[test]
        fn forged_ones_are_read_without_a_panic(text in "[A-Za-z0-9+/]{0,200}={0,2}") {
            if let Some(token) = CheckpointToken::parse(&text) {
                prop_assert_eq!(token.text(), text.clone());
            }
            let _ = CallbackId::parse(&text);
        }
    }
}
