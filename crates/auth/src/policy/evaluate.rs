//! The decision: may this caller do this?
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use base::AccountId;

use super::document::{Document, Effect, Selector, Statement};
use super::pattern::{matches, tokens};
use super::principal::Match;
use super::{Caller, Context};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub caller: Caller<'a>,
    /// Such as `sqs:SendMessage`.
    pub action: &'a str,
    /// The ARN it is about, or `*`.
    pub resource: &'a str,
    /// The account the resource belongs to.
    pub resource_account: AccountId,
    /// Condition keys, the caller's ([`Context::insert_caller`]) among them.
    pub context: &'a Context,
}

/// The policies that have a say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    /// Attached to the caller; any may allow.
    pub identity: &'a [Document],
    /// The permissions boundary, the session policies as one: each must allow as well.
    pub boundaries: &'a [Document],
    /// The resource's own; for sts:AssumeRole, the role's trust policy.
    pub resource: Option<&'a Document>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    /// A statement forbids it, whatever others allow.
    ExplicitDeny,
    /// Nothing allows it.
    ImplicitDeny,
}

impl Decision {
    pub fn is_allowed(self) -> bool {
        self == Self::Allowed
    }
}

/// Decides. An explicit deny anywhere wins. Otherwise:
/// - a service or the anonymous need the resource's policy alone;
/// - an account's root may do everything in its account;
/// - within an account, an identity policy within all boundaries is enough, and so is a resource's
///   policy that names the caller (a session's boundaries bind it still if only its role, or
///   everyone, is named); one that names the account merely lets identity policies decide;
/// - across accounts, both sides must allow.
pub fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let attached = policies.identity.iter().chain(policies.boundaries);
    if attached.clone().any(|document| denies(document, request))
        || policies
            .resource
            .is_some_and(|document| denies(document, request))
    {
        return Decision::ExplicitDeny;
    }
    let by_resource = policies
        .resource
        .map_or(Match::No, |document| grants(document, request));
    let bounded = policies
        .boundaries
        .iter()
        .all(|document| allows(document, request));
    let by_identity = bounded
        && policies
            .identity
            .iter()
            .any(|document| allows(document, request));
    let same_account = request.caller.account() == Some(request.resource_account);
    let allowed = match request.caller {
        Caller::Anonymous | Caller::Service { .. } => by_resource > Match::No,
        Caller::Root { .. } => same_account || by_resource > Match::No,
        Caller::User { .. } | Caller::Session { .. } if !same_account => {
            by_identity && by_resource > Match::No
        }
        Caller::User { .. } => by_identity || by_resource >= Match::Indirect,
        Caller::Session { .. } => {
            by_identity
                || by_resource == Match::Direct
                || (by_resource == Match::Indirect && bounded)
        }
    };
    if allowed {
        Decision::Allowed
    } else {
        Decision::ImplicitDeny
    }
}

fn denies(document: &Document, request: &Request<'_>) -> bool {
    document.statements.iter().any(|statement| {
        statement.effect == Effect::Deny && applies(document, statement, request) > Match::No
    })
}

fn allows(document: &Document, request: &Request<'_>) -> bool {
    grants(document, request) > Match::No
}

/// How directly the document's allowing statements name the caller.
fn grants(document: &Document, request: &Request<'_>) -> Match {
    document
        .statements
        .iter()
        .filter(|statement| statement.effect == Effect::Allow)
        .map(|statement| applies(document, statement, request))
        .max()
        .unwrap_or(Match::No)
}

fn applies(document: &Document, statement: &Statement, request: &Request<'_>) -> Match {
    let named = match &statement.principal {
        None => Match::Direct,
        Some(Selector::In(set)) => set.matches(&request.caller),
        Some(Selector::NotIn(set)) => match set.matches(&request.caller) {
            Match::No => Match::Indirect,
            _ => Match::No,
        },
    };
    let fits = named > Match::No
        && selects(&statement.action, |action| {
            is_action(action, request.action)
        })
        && statement.resource.as_ref().is_none_or(|resource| {
            selects(resource, |resource| {
                is_resource(document, resource, request)
            })
        })
        && statement
            .conditions
            .iter()
            .all(|condition| condition.holds(request.context, document.has_variables));
    if fits { named } else { Match::No }
}

fn selects(selector: &Selector<Vec<String>>, fits: impl Fn(&str) -> bool) -> bool {
    match selector {
        Selector::In(list) => list.iter().any(|item| fits(item)),
        Selector::NotIn(list) => !list.iter().any(|item| fits(item)),
    }
}

fn is_action(pattern: &str, action: &str) -> bool {
    tokens(pattern, &Context::new(), false).is_some_and(|pattern| matches(&pattern, action, true))
}

fn is_resource(document: &Document, pattern: &str, request: &Request<'_>) -> bool {
    tokens(pattern, request.context, document.has_variables)
        .is_some_and(|pattern| matches(&pattern, request.resource, false))
}
