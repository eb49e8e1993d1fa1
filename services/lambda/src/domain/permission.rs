//! A function's own policy: the statements AddPermission makes, in the form Lambda gives them.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html>

use std::collections::BTreeMap;

use auth::policy::{self, PolicyKind};
use base::{AccountId, Arn};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use service::ServiceError;

use crate::error;
use crate::generated::AddPermissionRequest;

/// Of the whole policy, in bytes.
const MAX_POLICY: usize = 20_480;

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Statement {
    /// As AddPermission makes them.
    Made(Made),
    /// As PutResourcePolicy was given it, checked.
    Given(serde_json::Map<String, Json>),
}

/// The order of the fields is that of Lambda's answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Made {
    sid: String,
    effect: Effect,
    principal: Principal,
    action: String,
    resource: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Effect {
    Allow,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Principal {
    /// `*`.
    Anyone(String),
    Named(NamedPrincipal),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum NamedPrincipal {
    Service(String),
    #[serde(rename = "AWS")]
    Aws(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    #[serde(
        rename = "StringEquals",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    string_equals: BTreeMap<String, String>,
    #[serde(
        rename = "ArnLike",
        default,
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    arn_like: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'static str,
    id: &'static str,
    statement: &'a [Statement],
}

impl Statement {
    /// What AddPermission asks for, on the function or the version or alias of it that `resource`
    /// names.
    ///
    /// # Errors
    /// A principal that is none.
    pub fn of(input: &AddPermissionRequest, resource: &Arn) -> Result<Self, ServiceError> {
        Ok(Self::Made(Made {
            sid: input.statement_id.clone(),
            effect: Effect::Allow,
            principal: Principal::of(&input.principal, &resource.partition)?,
            action: input.action.clone(),
            resource: resource.to_string(),
            condition: Condition::of(input),
        }))
    }

    /// Empty for one that was given none.
    pub fn sid(&self) -> &str {
        match self {
            Self::Made(made) => &made.sid,
            Self::Given(members) => members.get("Sid").and_then(Json::as_str).unwrap_or(""),
        }
    }

    /// Whether it lets this account in. Nobody is in an organization here, so that what is granted
    /// to one is granted to nobody.
    pub fn admits(&self, account: AccountId) -> bool {
        let Self::Made(made) = self else {
            return false;
        };
        let is_meant = match &made.principal {
            Principal::Anyone(_) => true,
            Principal::Named(NamedPrincipal::Aws(arn)) => {
                let arn: Option<Arn> = arn.parse().ok();
                arn.is_some_and(|arn| arn.account_id() == Some(account))
            }
            Principal::Named(NamedPrincipal::Service(_)) => false,
        };
        is_meant && made.condition.is_none()
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a statement is made of text")
    }
}

impl Principal {
    fn of(text: &str, partition: &str) -> Result<Self, ServiceError> {
        if text == "*" {
            return Ok(Self::Anyone(text.to_owned()));
        }
        let named = if text.parse::<AccountId>().is_ok() {
            NamedPrincipal::Aws(format!("arn:{partition}:iam::{text}:root"))
        } else if is_identity(text) {
            NamedPrincipal::Aws(text.to_owned())
        } else if is_service(text) {
            NamedPrincipal::Service(text.to_owned())
        } else {
            return Err(error::invalid_parameter(
                "The provided principal was invalid. Please check the principal and try again.",
            ));
        };
        Ok(Self::Named(named))
    }
}

fn is_identity(text: &str) -> bool {
    text.parse::<Arn>().is_ok_and(|arn| {
        matches!(arn.service.as_str(), "iam" | "sts") && arn.account_id().is_some()
    })
}

/// Such as `s3.amazonaws.com` or `alexa-appkit.amazon.com`.
fn is_service(text: &str) -> bool {
    let domains = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"];
    let name = domains.iter().find_map(|domain| text.strip_suffix(domain));
    name.is_some_and(|name| {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        name.bytes().all(legal) && !name.split('.').any(str::is_empty)
    })
}

impl Condition {
    fn of(input: &AddPermissionRequest) -> Option<Self> {
        let present = |pairs: &[(&str, Option<String>)]| -> BTreeMap<String, String> {
            let pair =
                |(key, value): &(&str, Option<String>)| Some(((*key).to_owned(), value.clone()?));
            pairs.iter().filter_map(pair).collect()
        };
        let url_auth = input
            .function_url_auth_type
            .map(|kind| kind.as_str().to_owned());
        let via_url = input.invoked_via_function_url.map(|via| via.to_string());
        let condition = Self {
            string_equals: present(&[
                ("AWS:SourceAccount", input.source_account.clone()),
                ("aws:PrincipalOrgID", input.principal_org_id.clone()),
                ("lambda:EventSourceToken", input.event_source_token.clone()),
                ("lambda:FunctionUrlAuthType", url_auth),
                ("lambda:InvokedViaFunctionUrl", via_url),
            ]),
            arn_like: present(&[("AWS:SourceArn", input.source_arn.clone())]),
        };
        (condition != Self::default()).then_some(condition)
    }
}

/// The policy as GetPolicy shows it.
pub fn policy(statements: &[Statement]) -> String {
    let document = Document {
        version: "2012-10-17",
        id: "default",
        statement: statements,
    };
    serde_json::to_string(&document).expect("a policy is made of text")
}

/// The statements with one more.
///
/// # Errors
/// A statement id that is taken; a policy that grows too long.
pub fn added(before: &[Statement], statement: Statement) -> Result<Vec<Statement>, ServiceError> {
    if before
        .iter()
        .any(|existing| existing.sid() == statement.sid())
    {
        return Err(error::conflict(format!(
            "The statement id ({}) provided already exists. Please provide a new statement id, or \
             remove the existing statement.",
            statement.sid()
        )));
    }
    let mut after = before.to_vec();
    after.push(statement);
    let length = policy(&after).len();
    if length > MAX_POLICY {
        return Err(error::policy_too_long(length, MAX_POLICY));
    }
    Ok(after)
}

/// The statements of a policy that is given as a whole, on what `resource` names.
///
/// # Errors
/// No policy, one of something else, one that is too long, and one that lets everybody in.
pub fn given(text: &str, resource: &Arn) -> Result<Vec<Statement>, ServiceError> {
    if text.len() > MAX_POLICY {
        return Err(error::policy_too_long(text.len(), MAX_POLICY));
    }
    policy::Document::parse(text, PolicyKind::Resource)
        .map_err(|error| error::invalid_parameter(error.to_string()))?;
    let mut document: Json =
        serde_json::from_str(text).map_err(|error| error::invalid_parameter(error.to_string()))?;
    let statements = match document["Statement"].take() {
        Json::Array(statements) => statements,
        one => vec![one],
    };
    let resource = resource.to_string();
    let mut read = Vec::new();
    for statement in statements {
        if statement["Resource"] != resource.as_str() {
            return Err(error::invalid_parameter(format!(
                "The Resource of each statement must be {resource}."
            )));
        }
        if is_public(&statement) {
            return Err(error::public_policy());
        }
        let statement = serde_json::from_value(statement);
        read.push(statement.map_err(|error| error::invalid_parameter(error.to_string()))?);
    }
    Ok(read)
}

fn is_public(statement: &Json) -> bool {
    let is_anyone = |principal: &Json| match principal {
        Json::Array(principals) => principals.iter().any(|one| one == "*"),
        one => one == "*",
    };
    let principal = &statement["Principal"];
    statement["Effect"] == "Allow"
        && (is_anyone(principal) || is_anyone(&principal["AWS"]))
        && statement.get("Condition").is_none()
}

pub fn no_policy() -> ServiceError {
    error::not_found("No policy is associated with the given resource.")
}

/// The statements without one.
///
/// # Errors
/// There is no such statement, or none at all.
pub fn removed(before: &[Statement], sid: &str) -> Result<Vec<Statement>, ServiceError> {
    if before.is_empty() {
        return Err(no_policy());
    }
    let after: Vec<Statement> = before
        .iter()
        .filter(|statement| statement.sid() != sid)
        .cloned()
        .collect();
    if after.len() == before.len() {
        return Err(error::not_found(format!(
            "Statement {sid} is not found in resource policy."
        )));
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function() -> Arn {
        "arn:aws:lambda:us-east-1:123456789012:function:hello"
            .parse()
            .unwrap()
    }

    fn request(principal: &str) -> AddPermissionRequest {
        AddPermissionRequest {
            statement_id: "s3".to_owned(),
            action: "lambda:InvokeFunction".to_owned(),
            principal: principal.to_owned(),
            ..AddPermissionRequest::default()
        }
    }

    #[test]
    fn a_statement_reads_as_lambda_writes_it() {
        let input = AddPermissionRequest {
            source_arn: Some("arn:aws:s3:::bucket".to_owned()),
            source_account: Some("123456789012".to_owned()),
            ..request("s3.amazonaws.com")
        };
        let statement = Statement::of(&input, &function()).unwrap();
        assert_eq!(
            statement.json(),
            r#"{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:123456789012:function:hello","Condition":{"StringEquals":{"AWS:SourceAccount":"123456789012"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::bucket"}}}"#
        );
        let read: Statement = serde_json::from_str(&statement.json()).unwrap();
        assert_eq!(read, statement);
    }

    #[test]
    fn principals_are_services_accounts_identities_or_anyone() {
        for (principal, shown) in [
            ("*", r#""Principal":"*""#),
            (
                "events.amazonaws.com",
                r#""Principal":{"Service":"events.amazonaws.com"}"#,
            ),
            (
                "123456789012",
                r#""Principal":{"AWS":"arn:aws:iam::123456789012:root"}"#,
            ),
            (
                "arn:aws:iam::123456789012:role/r",
                r#""Principal":{"AWS":"arn:aws:iam::123456789012:role/r"}"#,
            ),
        ] {
            let statement = Statement::of(&request(principal), &function()).unwrap();
            assert!(statement.json().contains(shown), "{}", statement.json());
            assert!(!statement.json().contains("Condition"));
        }
        for bad in [
            "invalid.nonaws.com",
            ".amazonaws.com",
            "arn:aws:s3:::bucket",
            "12345",
        ] {
            assert!(Statement::of(&request(bad), &function()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_statement_id_is_used_once_until_removed() {
        let statement = Statement::of(&request("s3.amazonaws.com"), &function()).unwrap();
        let one = added(&[], statement.clone()).unwrap();
        let error = added(&one, statement).unwrap_err();
        assert_eq!(error.code, "ResourceConflictException");
        assert!(removed(&one, "other").is_err());
        let none = removed(&one, "s3").unwrap();
        assert!(
            removed(&none, "s3")
                .unwrap_err()
                .message
                .starts_with("No policy is associated")
        );
    }

    #[test]
    fn a_policy_ends_at_20_kb() {
        let mut statements = Vec::new();
        let error = loop {
            let input = AddPermissionRequest {
                statement_id: format!("s{}", statements.len()),
                ..request("s3.amazonaws.com")
            };
            match added(&statements, Statement::of(&input, &function()).unwrap()) {
                Ok(more) => statements = more,
                Err(error) => break error,
            }
        };
        assert_eq!(error.code, "PolicyLengthExceededException");
        assert!(policy(&statements).len() <= MAX_POLICY);
    }
}
