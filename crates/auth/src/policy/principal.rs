//! `Principal`: whom a statement is about.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use base::Arn;

use super::Caller;

/// The names of one `Principal` element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PrincipalSet {
    /// Written as `"*"`: services and the anonymous too.
    pub(super) everyone: bool,
    pub(super) aws: Vec<String>,
    pub(super) services: Vec<String>,
    pub(super) federated: Vec<String>,
    pub(super) canonical_users: Vec<String>,
}

/// How closely a statement names the caller, which decides what else must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    No,
    /// The caller's account: it may let the caller in, by an identity policy of its own.
    Account,
    /// Everyone, or the role behind a session: boundaries and session policies still count.
    Indirect,
    /// The very user or session (or service).
    Direct,
}

impl PrincipalSet {
    pub(super) fn everyone() -> Self {
        Self {
            everyone: true,
            ..Self::default()
        }
    }

    pub(super) fn matches(&self, caller: &Caller<'_>) -> Match {
        if let Caller::Service { name } = caller {
            let named = self.everyone || self.services.iter().any(|service| service == name);
            return if named { Match::Direct } else { Match::No };
        }
        let everyone = if self.everyone {
            Match::Indirect
        } else {
            Match::No
        };
        self.aws
            .iter()
            .map(|name| matches(name, caller))
            .fold(everyone, Match::max)
    }

    /// The first name that can be nobody's, with its kind.
    pub(super) fn first_invalid(&self) -> Option<(&'static str, &str)> {
        let aws = self.aws.iter().find(|name| !is_aws_principal(name));
        let service = self
            .services
            .iter()
            .find(|name| !name.contains('.') || name.contains('*'));
        aws.map(|name| ("AWS", name.as_str()))
            .or_else(|| service.map(|name| ("Service", name.as_str())))
    }
}

fn matches(name: &str, caller: &Caller<'_>) -> Match {
    if name == "*" {
        return Match::Indirect;
    }
    if let Some(account) = caller.account() {
        let root = format!("arn:aws:iam::{account}:root");
        if name == account.as_str() || name == root {
            let is_root = matches!(caller, Caller::Root { .. });
            return if is_root {
                Match::Direct
            } else {
                Match::Account
            };
        }
    }
    let (direct, indirect) = match caller {
        Caller::User { arn, user_id } => (arn.to_string() == name || *user_id == name, false),
        Caller::Session {
            arn,
            role_arn,
            session_id,
        } => {
            let role_id = session_id.split(':').next();
            (
                arn.to_string() == name,
                role_arn.to_string() == name || role_id == Some(name),
            )
        }
        Caller::Anonymous | Caller::Root { .. } | Caller::Service { .. } => (false, false),
    };
    match (direct, indirect) {
        (true, _) => Match::Direct,
        (_, true) => Match::Indirect,
        _ => Match::No,
    }
}

/// `*`, an account, an ARN of IAM or STS, or the unique id of a user or role.
fn is_aws_principal(name: &str) -> bool {
    if name == "*" || name.parse::<base::AccountId>().is_ok() {
        return true;
    }
    if let Ok(arn) = name.parse::<Arn>() {
        let known = matches!(arn.service.as_str(), "iam" | "sts");
        return known && arn.account_id().is_some() && !arn.resource.contains('*');
    }
    let is_id = name.starts_with("AIDA") || name.starts_with("AROA");
    is_id && name.bytes().all(|b| b.is_ascii_alphanumeric())
}
