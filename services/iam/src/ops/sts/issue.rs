//! Credentials of a new session.

use std::time::Duration;

use base::AccountId;

use crate::domain::ids;
use crate::domain::sealing::{Holder, Session};
use crate::generated_sts as model;
use crate::identity::Identity;

/// What a session is to be.
pub struct NewSession {
    pub account: AccountId,
    pub holder: Holder,
    pub seconds: u32,
    pub policy_arns: Vec<String>,
    pub policy: Option<String>,
}

/// Makes the credentials. Nothing is stored: the token carries it all.
pub fn issue(identity: &Identity, new: NewSession) -> model::Credentials {
    let expires_at = identity.now() + Duration::from_secs(new.seconds.into());
    let access_key_id = ids::access_key_id(ids::SESSION_KEY, new.account);
    let token = identity.sealer.seal(&Session {
        access_key_id: access_key_id.clone(),
        account: new.account,
        expires_at,
        holder: new.holder,
        policy_arns: new.policy_arns,
        policy: new.policy,
    });
    model::Credentials {
        access_key_id,
        secret_access_key: identity.sealer.secret(&token),
        session_token: token,
        expiration: expires_at,
    }
}
