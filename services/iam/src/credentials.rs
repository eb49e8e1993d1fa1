//! Who an access key belongs to: the [`Credentials`] port. Memory and arithmetic only.

use std::sync::Arc;

use async_trait::async_trait;
use base::Arn;
use service::Principal;
use service::ports::{Credentials, IssuedCredential};

use crate::directory::State;
use crate::domain::sealing::{Holder, Session};
use crate::domain::{ids, policy};
use crate::identity::{Identity, documents, managed_document, role_arn, user_arn};
use crate::records::{Role, User};

/// Answers from what [`Identity`] holds in memory.
pub struct IssuedCredentials(pub(crate) Arc<Identity>);

#[async_trait]
impl Credentials for IssuedCredentials {
    async fn find(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Option<IssuedCredential> {
        match session_token {
            Some(token) => self.0.session(access_key_id, token),
            None => self.0.long_term(access_key_id),
        }
    }

    async fn of(&self, principal: &Principal) -> Option<IssuedCredential> {
        self.0.now_of(principal)
    }
}

impl Identity {
    fn long_term(&self, access_key_id: &str) -> Option<IssuedCredential> {
        let state = self.directory.read();
        let key = state.keys.get(access_key_id).filter(|key| key.active)?;
        let user = state.find::<User>(key.account, &key.user)?;
        let (identity_policies, boundary) = documents(&state, key.account, &user.permissions);
        Some(IssuedCredential {
            secret: key.secret.clone(),
            session_token: None,
            expires_at: None,
            principal: Principal::User {
                arn: user_arn(&user),
                user_id: user.id.clone(),
            },
            account: key.account,
            identity_policies,
            boundaries: boundary.into_iter().collect(),
        })
    }

    /// The permissions that a principal has now. One whose user or role has gone is nobody: neither
    /// name comes back as the same.
    fn now_of(&self, principal: &Principal) -> Option<IssuedCredential> {
        let state = self.directory.read();
        let last = |arn: &Arn| {
            arn.resource
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let (account, permissions, bounds) = match principal {
            Principal::Root { account } => (*account, None, Vec::new()),
            Principal::User { arn, user_id } => {
                let account = arn.account_id()?;
                let user = state.find::<User>(account, &last(arn))?;
                let permissions = (user.id == *user_id).then(|| user.permissions.clone())?;
                (account, Some(permissions), Vec::new())
            }
            Principal::Session {
                arn,
                role_arn,
                session_id,
            } => {
                let account = role_arn.account_id()?;
                let role = state.find::<Role>(account, &last(role_arn))?;
                let id = session_id.split(':').next();
                let permissions =
                    (id == Some(role.id.as_str())).then(|| role.permissions.clone())?;
                (
                    account,
                    Some(permissions),
                    self.bounded.of(&arn.to_string()),
                )
            }
            Principal::Service { .. } => return None,
        };
        let (identity_policies, boundary) = permissions
            .map(|permissions| documents(&state, account, &permissions))
            .unwrap_or_default();
        Some(IssuedCredential {
            secret: String::new(),
            session_token: None,
            expires_at: None,
            principal: principal.clone(),
            account,
            identity_policies,
            boundaries: boundary.into_iter().chain(bounds).collect(),
        })
    }

    fn session(&self, access_key_id: &str, token: &str) -> Option<IssuedCredential> {
        let session = self.sealer.open(token)?;
        if session.access_key_id != access_key_id {
            return None;
        }
        let state = self.directory.read();
        let (principal, identity_policies, boundary) = holder(&state, &session)?;
        let bound = session_policy(&state, &session);
        if let (Some(policy), Principal::Session { arn, .. }) = (&bound, &principal) {
            self.bounded
                .note(arn.to_string(), policy, session.expires_at, self.now());
        }
        Some(IssuedCredential {
            secret: self.sealer.secret(token),
            session_token: Some(token.to_owned()),
            expires_at: Some(session.expires_at),
            principal,
            account: session.account,
            identity_policies,
            boundaries: boundary.into_iter().chain(bound).collect(),
        })
    }
}

/// Who holds a session and what they may do now. A session survives its role or user, but
/// without permissions; a role made anew under the name is another role.
fn holder(state: &State, session: &Session) -> Option<(Principal, Vec<String>, Option<String>)> {
    let account = session.account;
    match &session.holder {
        Holder::Role {
            name,
            path,
            id,
            session: session_name,
        } => {
            let role = state
                .find::<Role>(account, name)
                .filter(|role| role.id == *id);
            let arn = ids::session_arn(account, name, session_name);
            let role_arn = role.as_ref().map_or_else(
                || ids::arn(account, "role", path, name),
                |role| role_arn(role),
            );
            let session_id = format!("{id}:{session_name}");
            let principal = Principal::Session {
                arn,
                role_arn,
                session_id,
            };
            let (identity, boundary) = role
                .map(|role| documents(state, account, &role.permissions))
                .unwrap_or_default();
            Some((principal, identity, boundary))
        }
        Holder::User { name, id } => {
            let user = state
                .find::<User>(account, name)
                .filter(|user| user.id == *id)?;
            let (identity, boundary) = documents(state, account, &user.permissions);
            let principal = Principal::User {
                arn: user_arn(&user),
                user_id: user.id.clone(),
            };
            Some((principal, identity, boundary))
        }
        Holder::Root => Some((Principal::Root { account }, Vec::new(), None)),
    }
}

/// The session policies as one document, if there are any.
fn session_policy(state: &State, session: &Session) -> Option<String> {
    let managed: Vec<String> = session
        .policy_arns
        .iter()
        .filter_map(|arn| managed_document(state, session.account, arn))
        .collect();
    if session.policy_arns.is_empty() && session.policy.is_none() {
        return None;
    }
    Some(policy::union(
        managed.iter().chain(&session.policy).map(String::as_str),
    ))
}
