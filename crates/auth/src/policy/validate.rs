//! What a policy must and must not have, by what it is attached to.

use std::collections::HashSet;

use super::document::{MalformedPolicy, PolicyKind, Selector, Statement};
use super::parse::{Parsed, malformed};

const STS_ACTIONS: &[&str] = &[
    "sts:assumerole",
    "sts:assumerolewithsaml",
    "sts:assumerolewithwebidentity",
    "sts:tagsession",
    "sts:setsourceidentity",
    "sts:setcontext",
    "sts:*",
];

pub(super) fn check(parsed: &Parsed, kind: PolicyKind) -> Result<(), MalformedPolicy> {
    if kind == PolicyKind::Identity && parsed.version.as_deref() != Some("2012-10-17") {
        return Err(malformed(
            "Policy document must be version 2012-10-17 or greater.",
        ));
    }
    let mut sids = HashSet::new();
    for statement in &parsed.policy.statements {
        let sid = statement.sid.as_deref().filter(|sid| !sid.is_empty());
        if sid.is_some_and(|sid| !sids.insert(sid)) {
            return Err(malformed(
                "Statement IDs (SID) in a single policy must be unique.",
            ));
        }
        check_actions(statement)?;
        match kind {
            PolicyKind::Identity => check_identity(statement, sid)?,
            PolicyKind::Trust => check_trust(statement)?,
            PolicyKind::Resource => check_resource(statement)?,
        }
    }
    Ok(())
}

fn check_identity(statement: &Statement, sid: Option<&str>) -> Result<(), MalformedPolicy> {
    if sid.is_some_and(|sid| !sid.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        return Err(malformed(
            "Statement IDs (SID) should be alpha-numeric. Check that your input satisfies the \
             regular expression [0-9A-Za-z]*",
        ));
    }
    if statement.principal.is_some() {
        return Err(malformed("Policy document should not specify a principal."));
    }
    let resources = list(statement.resource.as_ref())
        .ok_or_else(|| malformed("Policy statement must contain resources."))?;
    resources
        .iter()
        .try_for_each(|resource| check_arn(resource))
}

fn check_trust(statement: &Statement) -> Result<(), MalformedPolicy> {
    if let Some(resource) = &statement.resource {
        let field = if matches!(resource, Selector::In(_)) {
            "Resource"
        } else {
            "NotResource"
        };
        return Err(malformed(format!("Has prohibited field {field}")));
    }
    check_principals(statement)?;
    let actions = match &statement.action {
        Selector::In(actions) | Selector::NotIn(actions) => actions,
    };
    if actions
        .iter()
        .all(|action| STS_ACTIONS.contains(&action.to_ascii_lowercase().as_str()))
    {
        Ok(())
    } else {
        Err(malformed(
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ))
    }
}

fn check_resource(statement: &Statement) -> Result<(), MalformedPolicy> {
    check_principals(statement)?;
    match list(statement.resource.as_ref()) {
        Some(_) => Ok(()),
        None => Err(malformed("Missing required field Resource")),
    }
}

fn check_principals(statement: &Statement) -> Result<(), MalformedPolicy> {
    let Some(Selector::In(set) | Selector::NotIn(set)) = &statement.principal else {
        return Err(malformed("Missing required field Principal"));
    };
    match set.first_invalid() {
        Some((kind, name)) => Err(malformed(format!(
            "Invalid principal in policy: \"{kind}\":\"{name}\""
        ))),
        None => Ok(()),
    }
}

fn check_actions(statement: &Statement) -> Result<(), MalformedPolicy> {
    let actions = match &statement.action {
        Selector::In(actions) | Selector::NotIn(actions) => actions,
    };
    if actions.is_empty() {
        return Err(malformed("Policy statement must contain actions."));
    }
    for action in actions.iter().filter(|action| *action != "*") {
        let Some((vendor, name)) = action.split_once(':') else {
            return Err(malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ));
        };
        if name.contains(':') {
            return Err(malformed("Actions/Condition can contain only one colon."));
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if vendor.is_empty() || !vendor.bytes().all(legal) {
            return Err(malformed(format!("Vendor {vendor} is not valid")));
        }
        if name.is_empty() {
            return Err(malformed("The policy failed legacy parsing"));
        }
    }
    Ok(())
}

fn check_arn(resource: &str) -> Result<(), MalformedPolicy> {
    if resource == "*" {
        return Ok(());
    }
    let mut parts = resource.splitn(6, ':');
    if parts.next() != Some("arn") {
        return Err(malformed(format!(
            "Resource {resource} must be in ARN format or \"*\"."
        )));
    }
    let partition = parts.next().unwrap_or("");
    let known = ["aws", "aws-cn", "aws-us-gov", "*"].contains(&partition);
    if !known && !partition.starts_with("aws-iso") {
        return Err(malformed(format!(
            "Partition \"{partition}\" is not valid for resource \"{resource}\"."
        )));
    }
    if parts.count() < 4 && !resource.ends_with('*') {
        return Err(malformed("The policy failed legacy parsing"));
    }
    Ok(())
}

fn list(selector: Option<&Selector<Vec<String>>>) -> Option<&Vec<String>> {
    match selector? {
        Selector::In(list) | Selector::NotIn(list) => Some(list).filter(|list| !list.is_empty()),
    }
}
