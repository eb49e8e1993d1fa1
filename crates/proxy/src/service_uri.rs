//! What the URI of an AWS integration names: another service's API.
//!
//! `arn:aws:apigateway:<region>:<service>:path/<path>` or `…:action/<Action>`.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/api/API_Integration.html>

use base::{AccountId, Arn};
use service::Principal;

/// A service's API, as an integration's URI names it.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceUri<'u> {
    pub region: &'u str,
    /// `bucket` of `bucket.s3`.
    pub subdomain: Option<&'u str>,
    pub service: &'u str,
    pub action: Option<&'u str>,
    path: &'u str,
}

impl<'u> ServiceUri<'u> {
    /// `None` if it names neither a path nor an action.
    pub fn of(arn: &'u Arn) -> Option<Self> {
        if arn.service != "apigateway" {
            return None;
        }
        let (subdomain, service) = match arn.account.rsplit_once('.') {
            Some((subdomain, service)) => (Some(subdomain), service),
            None => (None, arn.account.as_str()),
        };
        let (action, path) = match arn.resource.strip_prefix("action/") {
            Some(action) => (Some(action), ""),
            None => (None, arn.resource.strip_prefix("path/")?),
        };
        Some(Self {
            region: &arn.region,
            subdomain,
            service,
            action,
            path,
        })
    }

    /// A function, which is invoked rather than requested.
    pub fn is_function(&self) -> bool {
        self.service == "lambda" && self.path.contains("/functions/")
    }

    /// Of the request, with the subdomain before it, as services take it where they go by no name.
    pub fn path(&self) -> String {
        let subdomain = self.subdomain.map(|it| format!("/{it}"));
        let subdomain = subdomain.unwrap_or_default();
        format!("{subdomain}/{}", self.path.trim_start_matches('/'))
    }
}

/// The session in which API Gateway acts for an integration with a role.
pub fn role_session(role: &Arn, account: AccountId) -> Principal {
    let name = role.resource.rsplit('/').next().unwrap_or_default();
    let session = "BackplaneAssumeRoleSession";
    Principal::Session {
        arn: Arn::global("sts", account, format!("assumed-role/{name}/{session}")),
        role_arn: role.clone(),
        session_id: format!("{}:{session}", role.resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_by_path_and_by_action() {
        let read = |text: &str| {
            let arn: Arn = text.parse().unwrap();
            ServiceUri::of(&arn).map(|it| format!("{} {:?} {}", it.service, it.action, it.path()))
        };
        assert_eq!(
            read("arn:aws:apigateway:us-east-1:sqs:path/000000000000/q").as_deref(),
            Some("sqs None /000000000000/q")
        );
        assert_eq!(
            read("arn:aws:apigateway:us-east-1:dynamodb:action/PutItem").as_deref(),
            Some("dynamodb Some(\"PutItem\") /")
        );
        assert_eq!(
            read("arn:aws:apigateway:us-east-1:b.s3:path/k").as_deref(),
            Some("s3 None /b/k")
        );
        assert_eq!(read("arn:aws:apigateway:us-east-1:s3:other"), None);
        assert_eq!(read("arn:aws:sqs:us-east-1:000000000000:path/q"), None);
    }
}
