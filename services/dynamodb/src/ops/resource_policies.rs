//! PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy, and what policies let in: callers
//! of other accounts.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/access-control-resource-based.html>

use std::sync::Arc;

use auth::policy::{self, Document, Policies, PolicyKind};
use base::Arn;
use service::{RequestContext, ServiceError};

use super::tables::{Changing, table_name};
use crate::DynamoDb;
use crate::domain::table::{Definition, Policy};
use crate::error;
use crate::generated::{
    DeleteResourcePolicyInput, DeleteResourcePolicyOutput, GetResourcePolicyInput,
    GetResourcePolicyOutput, PutResourcePolicyInput, PutResourcePolicyOutput,
};

const LONGEST: usize = 20 * 1024;
/// As a revision it stands for there being no policy.
const NO_POLICY: &str = "NO_POLICY";

pub async fn put_resource_policy(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: PutResourcePolicyInput,
) -> Result<PutResourcePolicyOutput, ServiceError> {
    let policy = checked(input.policy, dynamodb.clock.now())?;
    let revision = policy.revision.clone();
    let (mut changing, place) = dynamodb.policed(&context, &input.resource_arn).await?;
    expect(&changing, &place, input.expected_revision_id.as_deref())?;
    let policies = &mut changing.definition.policies;
    let unchanged = policies
        .get(&place)
        .filter(|known| known.document == policy.document);
    if let Some(known) = unchanged {
        return Ok(PutResourcePolicyOutput {
            revision_id: Some(known.revision.clone()),
        });
    }
    policies.insert(place, policy);
    changing.save(&dynamodb).await?;
    Ok(PutResourcePolicyOutput {
        revision_id: Some(revision),
    })
}

pub async fn get_resource_policy(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: GetResourcePolicyInput,
) -> Result<GetResourcePolicyOutput, ServiceError> {
    let (table, place) = split(&input.resource_arn)?;
    let (_, definition) = dynamodb
        .named_table(&context, &table)
        .map_err(|_| no_resource(&input.resource_arn))?;
    check_place(&definition, &place, &input.resource_arn)?;
    let policy = definition.policies.get(&place).ok_or_else(|| {
        no_policy(format!(
            "Resource-based policy not found for the provided ResourceArn: {}",
            input.resource_arn
        ))
    })?;
    Ok(GetResourcePolicyOutput {
        policy: Some(policy.document.clone()),
        revision_id: Some(policy.revision.clone()),
    })
}

/// Nothing happens where there is none.
pub async fn delete_resource_policy(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DeleteResourcePolicyInput,
) -> Result<DeleteResourcePolicyOutput, ServiceError> {
    let (mut changing, place) = dynamodb.policed(&context, &input.resource_arn).await?;
    expect(&changing, &place, input.expected_revision_id.as_deref())?;
    let removed = changing.definition.policies.remove(&place);
    if removed.is_some() {
        changing.save(&dynamodb).await?;
    }
    Ok(DeleteResourcePolicyOutput {
        revision_id: removed.map(|policy| policy.revision),
    })
}

/// A policy that parses, with its revision.
pub fn checked(document: String, now: base::Timestamp) -> Result<Policy, ServiceError> {
    let refused = |why: &dyn std::fmt::Display| {
        error::invalid(format!(
            "Resource-based policy validation failed. Malformed resource policy document: {why}"
        ))
    };
    if document.len() > LONGEST {
        return Err(refused(&"a policy has at most 20 KB"));
    }
    Document::parse(&document, PolicyKind::Resource).map_err(|error| refused(&error))?;
    Ok(Policy {
        document,
        revision: now.millis().to_string(),
    })
}

impl DynamoDb {
    async fn policed(
        &self,
        context: &RequestContext,
        arn: &str,
    ) -> Result<(Changing<'_>, String), ServiceError> {
        let (table, place) = split(arn)?;
        let changing = self.changing(context, &table).await;
        let changing = changing.map_err(|error| match error.code.as_ref() {
            "ResourceNotFoundException" => no_resource(arn),
            _ => error,
        })?;
        check_place(&changing.definition, &place, arn)?;
        Ok((changing, place))
    }

    /// Lets a caller of another account have what a policy of the resource says.
    pub fn check_cross_account(
        &self,
        context: &RequestContext,
        action: &str,
        resource: &str,
    ) -> Result<(), ServiceError> {
        let Ok(arn) = resource.parse::<Arn>() else {
            return Ok(());
        };
        let Some(owner) = arn.account_id().filter(|owner| *owner != context.account) else {
            return Ok(());
        };
        let policy = split(resource).ok().and_then(|(table, place)| {
            let name = table_name(context, &table).ok()?;
            let definition = self.tables.get(&name)?.definition()?;
            definition.policies.get(&place).cloned()
        });
        let document =
            policy.and_then(|it| Document::parse(&it.document, PolicyKind::Resource).ok());
        let caller = context.principal.in_policies();
        let mut keys = context.condition_keys();
        keys.insert_caller(&caller);
        let request = policy::Request {
            caller,
            action,
            resource,
            resource_account: owner,
            context: &keys,
        };
        let policies = Policies {
            resource: document.as_ref(),
            ..Policies::default()
        };
        if document.is_some() && policy::evaluate(&request, &policies).is_allowed() {
            return Ok(());
        }
        Err(ServiceError::bad_request(
            "AccessDeniedException",
            format!(
                "User: {} is not authorized to perform: {action} on resource: {resource} because \
                 no resource-based policy allows the {action} action",
                context.principal.name()
            ),
        ))
    }
}

/// A table's ARN, and what of it the policy is about. An index has its table's.
fn split(arn: &str) -> Result<(String, String), ServiceError> {
    let invalid = || error::invalid(format!("Invalid ResourceArn: {arn}"));
    let parsed: Arn = arn.parse().map_err(|_| invalid())?;
    let rest = parsed
        .resource
        .strip_prefix("table/")
        .filter(|_| parsed.service == "dynamodb")
        .ok_or_else(invalid)?;
    let name_length = rest.find('/').unwrap_or(rest.len());
    let place = &rest[name_length..];
    let table = arn[..arn.len() - place.len()].to_owned();
    let place = if place.starts_with("/index/") {
        ""
    } else {
        place
    };
    Ok((table, place.to_owned()))
}

/// Either the table itself, or its stream.
fn check_place(definition: &Definition, place: &str, arn: &str) -> Result<(), ServiceError> {
    let label = place.strip_prefix("/stream/");
    let is_stream = label.is_some() && label == definition.stream_label.as_deref();
    if place.is_empty() || is_stream {
        Ok(())
    } else {
        Err(no_resource(arn))
    }
}

fn expect(
    changing: &Changing<'_>,
    place: &str,
    revision: Option<&str>,
) -> Result<(), ServiceError> {
    let table = &changing.table.name.name;
    let why = match (revision, changing.definition.policies.get(place)) {
        (None, _) | (Some(NO_POLICY), None) => return Ok(()),
        (Some(expected), Some(known)) if known.revision == expected => return Ok(()),
        (Some(NO_POLICY), Some(known)) => format!(
            "Requested policy update expecting none to be present for table {table}, but a policy \
             exists with revision id {}.",
            known.revision
        ),
        (Some(expected), Some(known)) => format!(
            "Requested update for policy with revision id {expected}, but the policy associated to \
             target table {table} has revision id {}.",
            known.revision
        ),
        (Some(_), None) => "Requested policy not found".to_owned(),
    };
    Err(no_policy(format!(
        "Resource-based policy not found for the provided ResourceArn: {why}"
    )))
}

fn no_policy(message: String) -> ServiceError {
    ServiceError::bad_request("PolicyNotFoundException", message)
}

fn no_resource(arn: &str) -> ServiceError {
    match arn.split_once(":table/") {
        Some((_, table)) => error::table_not_found(table),
        None => error::not_found(format!(
            "Requested resource not found: ResourceArn: {arn} not found"
        )),
    }
}
