//! Temporary credentials for a user, with the user's permissions.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>

use std::sync::Arc;

use service::{Principal, RequestContext, ServiceError};

use super::issue::{NewSession, issue};
use crate::domain::sealing::Holder;
use crate::error;
use crate::generated_sts as model;
use crate::identity::Identity;

const DEFAULT_SECONDS: u32 = 43_200;
/// Root's sessions last no longer.
const MAX_ROOT_SECONDS: u32 = 3_600;

pub async fn get_session_token(
    identity: Arc<Identity>,
    context: RequestContext,
    input: model::GetSessionTokenRequest,
) -> Result<model::GetSessionTokenResponse, ServiceError> {
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(error::denied(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your \
             MFA serial number is valid and associated with this user.",
        ));
    }
    let seconds = input.duration_seconds.and_then(|n| u32::try_from(n).ok());
    let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
    let (holder, seconds) = match &context.principal {
        Principal::Root { .. } => (Holder::Root, seconds.min(MAX_ROOT_SECONDS)),
        Principal::User { arn, user_id } => {
            let name = arn
                .resource
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            (
                Holder::User {
                    name,
                    id: user_id.clone(),
                },
                seconds,
            )
        }
        Principal::Session { .. } | Principal::Service { .. } => {
            return Err(error::denied(
                "Cannot call GetSessionToken with session credentials",
            ));
        }
    };
    let new = NewSession {
        account: context.account,
        holder,
        seconds,
        policy_arns: Vec::new(),
        policy: None,
    };
    Ok(model::GetSessionTokenResponse {
        credentials: Some(issue(&identity, new)),
        ..model::GetSessionTokenResponse::default()
    })
}
