//! Receipt handles: opaque to clients, yet they say which message of which queue they are for, so
//! that nothing needs to be remembered about old ones.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Fault;
use super::sequence::Sequence;

const VERSION: [u8; 3] = [1, 1, 1];
const CHECK_LENGTH: usize = 8;

/// Proof of one receive of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The queue, as created: another queue of the same name has another id.
    pub queue: u64,
    pub sequence: Sequence,
    /// Which receive of the message it came from.
    pub receive: u64,
}

impl Receipt {
    pub fn handle(self) -> String {
        let mut bytes = VERSION.to_vec();
        for part in [self.queue, self.sequence, self.receive] {
            bytes.extend_from_slice(&part.to_be_bytes());
        }
        let check = Sha256::digest(&bytes);
        bytes.extend_from_slice(&check[..CHECK_LENGTH]);
        STANDARD.encode(bytes)
    }

    /// Reads a handle that was given out for the queue with this id.
    ///
    /// # Errors
    /// AWS's two texts: for what was never a handle, and for another queue's.
    pub fn parse(handle: &str, queue: u64) -> Result<Self, Fault> {
        let receipt = Self::decode(handle).ok_or_else(|| {
            Fault::ReceiptHandle(format!(
                "The input receipt handle \"{handle}\" is not a valid receipt handle."
            ))
        })?;
        if receipt.queue != queue {
            return Err(Fault::ReceiptHandle(format!(
                "The receipt handle \"{handle}\" is not valid for this queue."
            )));
        }
        Ok(receipt)
    }

    fn decode(handle: &str) -> Option<Self> {
        let bytes = STANDARD.decode(handle).ok()?;
        let body_length = bytes.len().checked_sub(CHECK_LENGTH)?;
        let (body, check) = bytes.split_at(body_length);
        if Sha256::digest(body)[..CHECK_LENGTH] != *check {
            return None;
        }
        let mut parts = body.strip_prefix(&VERSION)?.chunks_exact(8);
        let mut next = || Some(u64::from_be_bytes(parts.next()?.try_into().ok()?));
        let receipt = Self {
            queue: next()?,
            sequence: next()?,
            receive: next()?,
        };
        (body.len() == VERSION.len() + 24).then_some(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECEIPT: Receipt = Receipt {
        queue: 7,
        sequence: 1 << 60,
        receive: 3,
    };

    #[test]
    fn reads_back_for_its_own_queue_only() {
        assert_eq!(Receipt::parse(&RECEIPT.handle(), 7), Ok(RECEIPT));
        let other = Receipt::parse(&RECEIPT.handle(), 8).unwrap_err();
        assert!(
            other.to_string().ends_with("is not valid for this queue."),
            "{other}"
        );
    }

    #[test]
    fn garbage_and_forgeries_are_no_receipts() {
        let mut forged = STANDARD.decode(RECEIPT.handle()).unwrap();
        forged[12] ^= 1;
        for bad in [
            "",
            "fake",
            "AQEB",
            "=",
            &STANDARD.encode(forged),
            &"A".repeat(400),
        ] {
            let fault = Receipt::parse(bad, 7).unwrap_err();
            assert!(
                fault
                    .to_string()
                    .ends_with("is not a valid receipt handle."),
                "{fault}"
            );
        }
    }
}
