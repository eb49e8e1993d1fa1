//! Access keys of users.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{answer, lookup};
use crate::directory::State;
use crate::domain::{ids, page};
use crate::error;
use crate::generated as model;
use crate::identity::{Identity, user_name};
use crate::records::{AccessKey, User};

const MAX_KEYS: usize = 2;

/// The only answer that ever holds the secret.
pub async fn create_access_key(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::CreateAccessKeyRequest,
) -> Result<model::CreateAccessKeyResponse, ServiceError> {
    let name = user_name(input.user_name, &context.principal)?;
    let mut change = iam.change().await;
    let user = lookup::principal::<User>(&change.read(), context.account, &name)?;
    if change.read().keys_of(context.account, &name).len() >= MAX_KEYS {
        return Err(error::quota("AccessKeysPerUser", MAX_KEYS));
    }
    let id = loop {
        let id = ids::access_key_id(ids::LONG_TERM_KEY, context.account);
        if !change.read().keys.contains_key(&id) {
            break id;
        }
    };
    let key = AccessKey {
        account: context.account,
        id,
        secret: ids::secret(),
        user: user.name.to_lowercase(),
        active: true,
        created: iam.now(),
    };
    let shown = model::AccessKey {
        user_name: user.name.clone(),
        access_key_id: key.id.clone(),
        status: model::StatusType::Active,
        secret_access_key: key.secret.clone(),
        create_date: Some(key.created),
    };
    change.put_key(key)?;
    change.commit().await?;
    Ok(model::CreateAccessKeyResponse { access_key: shown })
}

pub async fn list_access_keys(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListAccessKeysRequest,
) -> Result<model::ListAccessKeysResponse, ServiceError> {
    let name = user_name(input.user_name, &context.principal)?;
    let state = iam.directory.read();
    let user = lookup::principal::<User>(&state, context.account, &name)?;
    let keys = state
        .keys_of(context.account, &name)
        .into_iter()
        .map(|key| {
            (
                format!("{:020}{}", key.created.millis(), key.id),
                answer::key_metadata(&key, &user.name),
            )
        });
    let page = page::cut(keys, input.marker.as_deref(), input.max_items)?;
    Ok(model::ListAccessKeysResponse {
        access_key_metadata: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub async fn delete_access_key(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::DeleteAccessKeyRequest,
) -> Result<Unit, ServiceError> {
    let name = user_name(input.user_name, &context.principal)?;
    let mut change = iam.change().await;
    let key = find(&change.read(), &context, &name, &input.access_key_id)?;
    change.delete_key(&key.id);
    change.commit().await?;
    Ok(Unit {})
}

pub async fn update_access_key(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::UpdateAccessKeyRequest,
) -> Result<Unit, ServiceError> {
    let active = match input.status {
        model::StatusType::Active => true,
        model::StatusType::Inactive => false,
        model::StatusType::Expired => {
            return Err(error::validation(
                "A key cannot be made Expired; use Inactive.",
            ));
        }
    };
    let name = user_name(input.user_name, &context.principal)?;
    let mut change = iam.change().await;
    let key = find(&change.read(), &context, &name, &input.access_key_id)?;
    change.put_key(AccessKey {
        active,
        ..(*key).clone()
    })?;
    change.commit().await?;
    Ok(Unit {})
}

/// Use is not tracked: the answer is AWS's for a key that has not been used.
pub async fn get_access_key_last_used(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::GetAccessKeyLastUsedRequest,
) -> Result<model::GetAccessKeyLastUsedResponse, ServiceError> {
    let state = iam.directory.read();
    let key = state
        .keys
        .get(&input.access_key_id)
        .filter(|key| key.account == context.account);
    let key = key.ok_or_else(|| no_such_key(&input.access_key_id))?;
    let user = lookup::principal::<User>(&state, key.account, &key.user)?;
    Ok(model::GetAccessKeyLastUsedResponse {
        user_name: Some(user.name.clone()),
        access_key_last_used: Some(model::AccessKeyLastUsed {
            last_used_date: None,
            service_name: "N/A".to_owned(),
            region: "N/A".to_owned(),
        }),
    })
}

fn find(
    state: &State,
    context: &RequestContext,
    user: &str,
    id: &str,
) -> Result<Arc<AccessKey>, ServiceError> {
    lookup::principal::<User>(state, context.account, user)?;
    let keys = state.keys_of(context.account, user);
    keys.into_iter()
        .find(|key| key.id == id)
        .ok_or_else(|| no_such_key(id))
}

fn no_such_key(id: &str) -> ServiceError {
    error::no_such_entity(format!("The Access Key with id {id} cannot be found."))
}
