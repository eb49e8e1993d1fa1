//! Who asks, and what else is known of the request.

use std::collections::BTreeMap;

use base::{AccountId, Arn};

/// Condition keys and their values, such as `aws:SourceIp`. Keys are case-insensitive.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value to a key; a key may have several.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.insert(key, value);
        self
    }

    /// Adds a value to a key; a key may have several.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) {
        self.0
            .entry(key.to_ascii_lowercase())
            .or_default()
            .push(value.into());
    }

    /// The values of a key; `None` if the request does not have it.
    pub fn values(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }

    /// Adds the keys every principal has: `aws:PrincipalArn`, `aws:PrincipalAccount`,
    /// `aws:PrincipalType`, `aws:userid`, and `aws:username` for users.
    pub fn insert_caller(&mut self, caller: &Caller<'_>) {
        let mut put = |key: &str, value: String| {
            self.0.insert(key.to_owned(), vec![value]);
        };
        if let Some(account) = caller.account() {
            put("aws:principalaccount", account.to_string());
        }
        match caller {
            Caller::Anonymous => put("aws:principaltype", "Anonymous".to_owned()),
            Caller::Root { account } => {
                put("aws:principaltype", "Account".to_owned());
                put("aws:userid", account.to_string());
                put("aws:principalarn", format!("arn:aws:iam::{account}:root"));
            }
            Caller::User { arn, user_id } => {
                put("aws:principaltype", "User".to_owned());
                put("aws:userid", (*user_id).to_owned());
                put("aws:principalarn", arn.to_string());
                let name = arn.resource.rsplit('/').next().unwrap_or_default();
                put("aws:username", name.to_owned());
            }
            Caller::Session {
                role_arn,
                session_id,
                ..
            } => {
                put("aws:principaltype", "AssumedRole".to_owned());
                put("aws:userid", (*session_id).to_owned());
                put("aws:principalarn", role_arn.to_string());
            }
            Caller::Service { name } => put("aws:principalservicename", (*name).to_owned()),
        }
        let is_service = matches!(caller, Caller::Service { .. });
        put("aws:principalisawsservice", is_service.to_string());
    }
}

/// Who asks, as far as policies tell callers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller<'a> {
    /// No credentials at all: only a resource's own policy can let it in.
    Anonymous,
    /// An account's root user: everything in its account that no resource denies.
    Root {
        account: AccountId,
    },
    User {
        arn: &'a Arn,
        user_id: &'a str,
    },
    Session {
        /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
        arn: &'a Arn,
        /// With the role's path.
        role_arn: &'a Arn,
        /// `AROA…:SESSION`.
        session_id: &'a str,
    },
    /// Such as `lambda.amazonaws.com`.
    Service {
        name: &'a str,
    },
}

impl Caller<'_> {
    /// The account the caller belongs to.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::Root { account } => Some(*account),
            Self::User { arn, .. } | Self::Session { arn, .. } => arn.account_id(),
            Self::Anonymous | Self::Service { .. } => None,
        }
    }
}
