//! A policy document, parsed.

use super::condition::Condition;
use super::principal::PrincipalSet;

/// The longest text that is looked at, in bytes, as IAM's model has it.
pub const MAX_TEXT: usize = 131_072;

/// What a policy is attached to, which decides what its statements must and must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Attached to a user or role, inline or managed; also permissions boundaries and session
    /// policies.
    Identity,
    /// A role's trust policy: who may assume it.
    Trust,
    /// A queue's, bucket's or function's own policy.
    Resource,
}

/// Why a text is no policy, in the words IAM puts behind `MalformedPolicyDocument`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MalformedPolicy(pub String);

/// A policy that has the right grammar for its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Whether `${…}` means a variable, as from version 2012-10-17 on.
    pub(super) has_variables: bool,
    pub(super) statements: Vec<Statement>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
}

/// A list, or everything but the list.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Selector<T> {
    In(T),
    NotIn(T),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    /// `None` in policies attached to an identity.
    pub(super) principal: Option<Selector<PrincipalSet>>,
    pub(super) action: Selector<Vec<String>>,
    /// `None` in trust policies, which are about their own role.
    pub(super) resource: Option<Selector<Vec<String>>>,
    pub(super) conditions: Vec<Condition>,
}

impl Document {
    /// Reads and checks a policy.
    ///
    /// # Errors
    /// [`MalformedPolicy`], whose text is AWS's message.
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Self, MalformedPolicy> {
        let document = super::parse::document(text)?;
        super::validate::check(&document, kind)?;
        Ok(document.policy)
    }

    /// One policy that says what several say: their union. For session policies, which bound a
    /// session together rather than one by one.
    #[must_use]
    pub fn union(documents: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self {
            has_variables: true,
            statements: Vec::new(),
        };
        for document in documents {
            whole.statements.extend(document.statements);
        }
        whole
    }

    /// How long a policy counts as for IAM's quotas: white space is free.
    ///
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
    pub fn quota_length(text: &str) -> usize {
        text.chars().filter(|c| !c.is_whitespace()).count()
    }
}
