//! What IAM and STS share: the directory, the clock, and the seal of sessions.

use std::sync::Arc;

use base::{AccountId, Arn, Clock, Timestamp};
use service::{Principal, ServiceError};
use store::{Batch, Store, StoreError};

use crate::bounded_sessions::BoundedSessions;
use crate::directory::{Change, Directory, State};
use crate::domain::sealing::Sealer;
use crate::domain::{aws_managed, ids};
use crate::records::{Permissions, Role, SEALING_KEY, SealingKey, User};

/// All identities of one server.
pub struct Identity {
    pub(crate) directory: Arc<Directory>,
    pub(crate) clock: Clock,
    pub(crate) sealer: Sealer,
    pub(crate) bounded: BoundedSessions,
    /// When this state began: root has no other birthday.
    pub(crate) since: Timestamp,
}

impl Identity {
    /// Loads all identities into memory; the first time, makes the key that seals sessions.
    ///
    /// # Errors
    /// When the store cannot be read or written, or its records are damaged.
    pub async fn open(store: Arc<dyn Store>, clock: Clock) -> Result<Arc<Self>, StoreError> {
        let key = sealing_key(&*store, &clock).await?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(&key.key, &mut bytes)
            .map_err(|_| StoreError::corrupt("the sealing key is not 32 bytes"))?;
        let directory = Arc::new(Directory::load(store).await?);
        Ok(Arc::new(Self {
            directory,
            clock,
            sealer: Sealer::new(bytes),
            bounded: BoundedSessions::default(),
            since: key.created,
        }))
    }

    pub(crate) async fn change(&self) -> Change {
        self.directory.change().await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

async fn sealing_key(store: &dyn Store, clock: &Clock) -> Result<SealingKey, StoreError> {
    loop {
        if let Some(key) = SEALING_KEY.get(store, ()).await? {
            return Ok(key);
        }
        let key = hex::encode(rand::random::<[u8; 32]>());
        let mut batch = Batch::new();
        SEALING_KEY.expect_absent(&mut batch, ());
        SEALING_KEY.put(
            &mut batch,
            (),
            &SealingKey {
                key,
                created: clock.now(),
            },
        )?;
        match store.commit(batch).await {
            Err(error) if !error.is_conflict() => return Err(error),
            _ => {}
        }
    }
}

/// The default version's text of a managed policy, the account's own or AWS's.
pub(crate) fn managed_document(state: &State, account: AccountId, arn: &str) -> Option<String> {
    if let Some(policy) = aws_managed::POLICIES.get(arn) {
        return Some(policy.document.clone());
    }
    let policy = find_policy(state, account, arn)?;
    policy
        .versions
        .get(&policy.default_version)
        .map(|version| version.document.clone())
}

/// A customer-managed policy by its whole ARN.
pub(crate) fn find_policy(
    state: &State,
    account: AccountId,
    arn: &str,
) -> Option<Arc<crate::records::Policy>> {
    let name = arn.rsplit('/').next()?;
    let policy = state.find::<crate::records::Policy>(account, name)?;
    let own = ids::arn(account, "policy", &policy.path, &policy.name).to_string();
    (own == arn).then_some(policy)
}

/// The texts that say what a set of permissions allows, and the boundary's.
pub(crate) fn documents(
    state: &State,
    account: AccountId,
    permissions: &Permissions,
) -> (Vec<String>, Option<String>) {
    let managed = |arn: &String| managed_document(state, account, arn);
    let attached = permissions.attached.iter().filter_map(managed);
    let identity = permissions
        .inline
        .values()
        .cloned()
        .chain(attached)
        .collect();
    // A boundary that is gone bounds to nothing: it cannot be deleted while it is used.
    let boundary = permissions
        .boundary
        .as_ref()
        .map(|arn| managed(arn).unwrap_or_default());
    (identity, boundary)
}

pub(crate) fn role_arn(role: &Role) -> Arn {
    ids::arn(role.account, "role", &role.path, &role.name)
}

pub(crate) fn user_arn(user: &User) -> Arn {
    ids::arn(user.account, "user", &user.path, &user.name)
}

/// The user an operation is about: the one it names, else the caller.
pub(crate) fn user_name(
    given: Option<String>,
    principal: &Principal,
) -> Result<String, ServiceError> {
    match (given, principal) {
        (Some(name), _) => Ok(name),
        (None, Principal::User { arn, .. }) => Ok(arn
            .resource
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()),
        (None, _) => Err(crate::error::validation(
            "Must specify userName when calling with non-User credentials",
        )),
    }
}
