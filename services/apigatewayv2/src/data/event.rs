//! What integrations' functions are told of a request.

use bytes::Bytes;
use proxy::event::{self, Place, Resource};
use proxy::request::decoded_path;
use serde_json::{Map, Value, json};

use super::authorize::route_path;
use super::exchange::{Authorized, Exchange};
use super::integrate::written;
use crate::domain::mapping::Outgoing;
use crate::records::Integration;

/// The function's event, with the mappings of its parameters.
pub fn lambda_event(
    exchange: &Exchange,
    integration: &Integration,
    body: &Bytes,
    is_first: bool,
) -> Value {
    let id = exchange.request_id.to_string();
    let full = decoded_path(&exchange.target.full_path);
    let mut outgoing = Outgoing::new(exchange.headers.clone(), exchange.query(), &full);
    let is_mapped = integration
        .request_parameters
        .iter()
        .any(|all| !all.is_empty());
    if let Some(mappings) = integration
        .request_parameters
        .as_ref()
        .filter(|_| is_mapped)
    {
        let context = |name: &str| exchange.context(name);
        outgoing.apply(mappings, &exchange.sources(body, &context));
    }
    let query = if is_mapped {
        written(&outgoing.query)
    } else {
        exchange.query().to_owned()
    };
    let mut incoming = exchange.incoming(&outgoing.path, &id, body);
    incoming.headers = &outgoing.headers;
    incoming.query = &query;
    let account = exchange.target.api.account.to_string();
    let place = Place {
        account_id: &account,
        api_id: exchange.target.api.id(),
        stage: &exchange.target.stage.stage_name,
        path_parameters: exchange.shown_path_parameters(),
        stage_variables: exchange.shown_stage_variables(),
        authorizer: authorizer(exchange, is_first),
    };
    if !is_first {
        return event::v2(&incoming, &place, exchange.route_key());
    }
    let mut identity = Map::new();
    if matches!(exchange.authorized, Authorized::Iam) {
        let signer = exchange.signer();
        identity.insert("accountId".to_owned(), signer["accountId"].clone());
        identity.insert("caller".to_owned(), signer["callerId"].clone());
        identity.insert("user".to_owned(), signer["userId"].clone());
        identity.insert("userArn".to_owned(), signer["userArn"].clone());
    }
    let resource = Resource {
        version: Some("1.0"),
        path: route_path(exchange.route_key()),
        full_path: &full,
        extended_request_id: &id,
        identity,
        ..Resource::default()
    };
    event::v1(&incoming, &place, &resource)
}

/// What events say of the caller.
fn authorizer(exchange: &Exchange, is_first: bool) -> Option<Value> {
    match &exchange.authorized {
        Authorized::Anyone => None,
        Authorized::Iam if is_first => None,
        Authorized::Iam => Some(json!({ "iam": exchange.signer() })),
        Authorized::Jwt { claims, scopes } => {
            let said = json!({"claims": claims, "scopes": scopes});
            Some(if is_first {
                said
            } else {
                json!({ "jwt": said })
            })
        }
        Authorized::Lambda {
            principal_id,
            context,
        } if is_first => {
            let mut said = context.clone();
            said.insert("principalId".to_owned(), json!(principal_id));
            Some(Value::Object(said))
        }
        Authorized::Lambda { context, .. } => Some(json!({ "lambda": context })),
    }
}
