//! CreateAuthorizer, GetAuthorizer, GetAuthorizers, UpdateAuthorizer, DeleteAuthorizer.

use service::{RequestContext, ServiceError};

use super::{NOTHING, State, filled, shown};
use crate::domain::{expressions, ids, patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Api;

fn unknown() -> ServiceError {
    not_found("Invalid Authorizer identifier specified")
}

/// AWS's, where a client does not say.
pub const DEFAULT_TTL_SECONDS: i32 = 300;

pub fn default_auth_type(kind: g::AuthorizerType) -> &'static str {
    match kind {
        g::AuthorizerType::CognitoUserPools => "cognito_user_pools",
        _ => "custom",
    }
}

/// What an authorizer must say, and may.
pub fn check(_: &Api, authorizer: &g::Authorizer) -> Result<(), ServiceError> {
    if authorizer.name.as_deref().unwrap_or_default().is_empty() {
        return Err(bad_request("Invalid authorizer name"));
    }
    let ttl = authorizer
        .authorizer_result_ttl_in_seconds
        .unwrap_or(DEFAULT_TTL_SECONDS);
    if !(0..=3_600).contains(&ttl) {
        return Err(bad_request(
            "Authorizer result TTL must be between 0 and 3600 seconds",
        ));
    }
    if let Some(expression) = &authorizer.identity_validation_expression
        && regex::Regex::new(expression).is_err()
    {
        return Err(bad_request("Invalid identity validation expression"));
    }
    let uri = authorizer.authorizer_uri.as_deref().unwrap_or_default();
    let source = authorizer.identity_source.as_deref().unwrap_or_default();
    match authorizer.r#type.unwrap_or_default() {
        g::AuthorizerType::Token | g::AuthorizerType::Request
            if !uri.starts_with("arn:") || !uri.ends_with("/invocations") =>
        {
            Err(bad_request(format!(
                "Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation."
            )))
        }
        g::AuthorizerType::Token if source.is_empty() => Err(bad_request(
            "Identity source is required for TOKEN authorizers",
        )),
        g::AuthorizerType::Token if !source.starts_with("method.request.header.") => {
            Err(bad_request(format!(
                "Invalid identity source: {source}. Must be of the form method.request.header.[headerName]"
            )))
        }
        g::AuthorizerType::Request if source.is_empty() && ttl > 0 => Err(bad_request(
            "Identity source is required for the REQUEST authorizer type when caching is enabled",
        )),
        g::AuthorizerType::Request => {
            let wrong = source
                .split(',')
                .map(str::trim)
                .find(|one| !one.is_empty() && !is_source(one));
            match wrong {
                Some(wrong) => Err(bad_request(format!("Invalid identity source: {wrong}"))),
                None => Ok(()),
            }
        }
        g::AuthorizerType::CognitoUserPools => Err(bad_request(
            "Kagero has no Cognito user pools: authorizers of the type COGNITO_USER_POOLS are not there yet",
        )),
        g::AuthorizerType::Jwt => Err(bad_request(
            "Kagero has no JWT authorizers for REST APIs yet",
        )),
        g::AuthorizerType::Token => Ok(()),
    }
}

fn is_source(text: &str) -> bool {
    expressions::parameter(text, "method.request").is_some()
        || text.starts_with("context.")
        || text.starts_with("stageVariables.")
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateAuthorizerRequest,
) -> Result<g::Authorizer, ServiceError> {
    let id = ids::short();
    let authorizer = g::Authorizer {
        id: Some(id.clone()),
        name: Some(input.name),
        r#type: Some(input.r#type),
        provider_ar_ns: input.provider_ar_ns,
        auth_type: Some(
            input
                .auth_type
                .unwrap_or_else(|| default_auth_type(input.r#type).to_owned()),
        ),
        authorizer_uri: filled(input.authorizer_uri),
        authorizer_credentials: filled(input.authorizer_credentials),
        identity_source: filled(input.identity_source),
        identity_validation_expression: filled(input.identity_validation_expression),
        authorizer_result_ttl_in_seconds: Some(
            input
                .authorizer_result_ttl_in_seconds
                .unwrap_or(DEFAULT_TTL_SECONDS),
        ),
        jwt_configuration: None,
    };
    service
        .change_api(&context, &input.rest_api_id, |api| {
            check(api, &authorizer)?;
            let name = &authorizer.name;
            if api.authorizers.values().any(|other| other.name == *name) {
                return Err(conflict(
                    "Authorizer name must be unique. Authorizer already exists in this RestApi.",
                ));
            }
            api.authorizers.put(id, authorizer.clone());
            Ok(authorizer)
        })
        .await
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetAuthorizerRequest,
) -> Result<g::Authorizer, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let found = api
        .authorizers
        .get(&input.authorizer_id)
        .ok_or_else(unknown)?;
    Ok(g::Authorizer::clone(found))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetAuthorizersRequest,
) -> Result<g::Authorizers, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let (items, position) = shown(&api.authorizers, input.position.as_deref(), input.limit)?;
    Ok(g::Authorizers {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateAuthorizerRequest,
) -> Result<g::Authorizer, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let before = api
                .authorizers
                .get(&input.authorizer_id)
                .ok_or_else(unknown)?;
            let changed: g::Authorizer =
                patch::patched(&**before, input.patch_operations, patches::AUTHORIZER)?;
            check(api, &changed)?;
            Ok(super::replace(
                &mut api.authorizers,
                &input.authorizer_id,
                changed,
            ))
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteAuthorizerRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            if !api.authorizers.has(&input.authorizer_id) {
                return Err(unknown());
            }
            let id = Some(&input.authorizer_id);
            let mut methods = api.resources.values().flat_map(|resource| {
                resource
                    .resource_methods
                    .iter()
                    .flat_map(|methods| methods.values())
            });
            if methods.any(|method| method.authorizer_id.as_ref() == id) {
                return Err(conflict(format!(
                    "Cannot delete authorizer '{}', it is referenced in a method",
                    input.authorizer_id
                )));
            }
            api.authorizers.remove(&input.authorizer_id);
            Ok(NOTHING)
        })
        .await
}
