//! Whose account an access key is of.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use crate::domain::ids;
use crate::error;
use crate::generated_sts as model;
use crate::identity::Identity;

/// Read off the key itself, so that it works for keys of any state and age.
pub async fn get_access_key_info(
    _: Arc<Identity>,
    _: RequestContext,
    input: model::GetAccessKeyInfoRequest,
) -> Result<model::GetAccessKeyInfoResponse, ServiceError> {
    let account = ids::account_of_key(&input.access_key_id)
        .ok_or_else(|| error::validation("The specified value for accessKeyId is invalid."))?;
    Ok(model::GetAccessKeyInfoResponse {
        account: Some(account.to_string()),
    })
}
