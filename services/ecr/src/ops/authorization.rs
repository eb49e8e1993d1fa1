//! GetAuthorizationToken.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use service::{RequestContext, ServiceError};

use super::{State, repository, scheme};
use crate::domain::token::{Holder, Token};
use crate::generated as g;

const LIFE: Duration = Duration::from_hours(12);

pub async fn token(
    ecr: State,
    context: RequestContext,
    input: g::GetAuthorizationTokenRequest,
) -> Result<g::GetAuthorizationTokenResponse, ServiceError> {
    let expires = ecr.clock.now() + LIFE;
    let sealed = ecr.key.seal(&Token {
        holder: Holder::of(&context.principal),
        account: context.account,
        region: context.region.clone(),
        expires,
        layer: None,
    });
    let token = STANDARD.encode(format!("AWS:{sealed}"));
    // A token is good for every registry that its holder may use; only the addresses differ.
    let registries = input.registry_ids.filter(|ids| !ids.is_empty());
    let registries = registries.unwrap_or_else(|| vec![context.account.to_string()]);
    let data = registries.iter().map(|registry| {
        let id = repository(&context, Some(registry), "");
        g::AuthorizationData {
            authorization_token: Some(token.clone()),
            expires_at: Some(expires),
            proxy_endpoint: Some(format!(
                "{}://{}",
                scheme(&context),
                ecr.registry_host(&context, &id)
            )),
        }
    });
    Ok(g::GetAuthorizationTokenResponse {
        authorization_data: Some(data.collect()),
    })
}
