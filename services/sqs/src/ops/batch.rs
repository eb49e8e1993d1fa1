//! What every batch answer shares.

use service::ServiceError;

use crate::generated::BatchResultErrorEntry;

/// How a batch answers for one entry that failed.
pub fn failed_entry(id: String, error: &ServiceError) -> BatchResultErrorEntry {
    BatchResultErrorEntry {
        id,
        sender_fault: !error.is_server_fault(),
        code: error.query_code.unwrap_or(&error.code).to_owned(),
        message: Some(error.message.clone()),
    }
}
