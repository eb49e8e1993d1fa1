//! Who am I?
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>

use std::sync::Arc;

use service::{Principal, RequestContext, ServiceError};

use crate::error;
use crate::generated_sts as model;
use crate::identity::Identity;

/// Needs no permission. `UserId` is the account for root, `AIDA…` for users, `AROA…:session` for
/// sessions.
pub async fn get_caller_identity(
    _: Arc<Identity>,
    context: RequestContext,
    _: model::GetCallerIdentityRequest,
) -> Result<model::GetCallerIdentityResponse, ServiceError> {
    if let Principal::Service { name, .. } = &context.principal {
        return Err(error::denied(format!(
            "{name} is a service, not an identity."
        )));
    }
    let account = match &context.principal {
        Principal::User { arn, .. } | Principal::Session { arn, .. } => arn.account.clone(),
        _ => context.account.to_string(),
    };
    Ok(model::GetCallerIdentityResponse {
        user_id: Some(context.principal.id()),
        account: Some(account),
        arn: Some(context.principal.name()),
    })
}
