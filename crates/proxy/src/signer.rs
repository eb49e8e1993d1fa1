//! Who signed a request, and from where it came, as events tell it.

use serde_json::{Value, json};
use service::{Origin, Principal, RequestContext};

/// The `iam` member of an event's authorizer.
pub fn iam(principal: &Principal, account: base::AccountId) -> Value {
    let account = account.to_string();
    let (arn, id) = (principal.name(), principal.id());
    json!({
        "accountId": account,
        "callerId": id,
        "cognitoIdentity": null,
        "principalOrgId": null,
        "userArn": arn,
        "userId": id,
    })
}

/// The address of the client; empty for calls from inside.
pub fn source_ip(context: &RequestContext) -> String {
    match &context.origin {
        Origin::Http {
            peer: Some(peer), ..
        } => peer.ip().to_string(),
        _ => String::new(),
    }
}

/// Whether the request came over TLS.
pub fn is_tls(context: &RequestContext) -> bool {
    matches!(context.origin, Origin::Http { is_tls: true, .. })
}

/// The port that the client's authority names, or the scheme's.
pub fn port(context: &RequestContext, authority: &str) -> u16 {
    let port = authority
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok());
    port.unwrap_or(if is_tls(context) { 443 } else { 80 })
}
