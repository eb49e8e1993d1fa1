//! Users: create, read, rename, delete.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html>

use std::sync::Arc;

use service::{Principal, RequestContext, ServiceError};
use wire::Unit;

use super::{answer, lookup};
use crate::domain::{ids, page};
use crate::error;
use crate::generated as model;
use crate::identity::{Identity, user_name};
use crate::records::{AccessKey, Permissions, User};

const MAX_USERS: usize = 5_000;

pub async fn create_user(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::CreateUserRequest,
) -> Result<model::CreateUserResponse, ServiceError> {
    let tags = lookup::new_tags(input.tags)?;
    let mut change = iam.change().await;
    {
        let state = change.read();
        if state
            .find::<User>(context.account, &input.user_name)
            .is_some()
        {
            return Err(name_taken(&input.user_name));
        }
        if state.list::<User>(context.account).count() >= MAX_USERS {
            return Err(error::quota("UsersPerAccount", MAX_USERS));
        }
        if let Some(arn) = &input.permissions_boundary {
            lookup::check_attachable(&state, context.account, arn)?;
        }
    }
    let user = User {
        account: context.account,
        name: input.user_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: ids::unique_id(ids::USER),
        created: iam.now(),
        permissions: Permissions {
            boundary: input.permissions_boundary,
            ..Permissions::default()
        },
        tags,
    };
    let shown = answer::user(&user);
    change.put(user)?;
    change.commit().await?;
    Ok(model::CreateUserResponse { user: Some(shown) })
}

pub async fn get_user(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::GetUserRequest,
) -> Result<model::GetUserResponse, ServiceError> {
    if let (None, Principal::Root { account }) = (&input.user_name, &context.principal) {
        let root = model::User {
            path: "/".to_owned(),
            user_name: "root".to_owned(),
            user_id: account.to_string(),
            arn: format!("arn:aws:iam::{account}:root"),
            create_date: iam.since,
            ..model::User::default()
        };
        return Ok(model::GetUserResponse { user: root });
    }
    let name = user_name(input.user_name, &context.principal)?;
    let user = lookup::principal::<User>(&iam.directory.read(), context.account, &name)?;
    Ok(model::GetUserResponse {
        user: answer::user(&user),
    })
}

pub async fn list_users(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListUsersRequest,
) -> Result<model::ListUsersResponse, ServiceError> {
    let state = iam.directory.read();
    let users = state
        .list::<User>(context.account)
        .filter(|(_, user)| lookup::on_path(&user.path, input.path_prefix.as_ref()))
        .map(|(key, user)| (key.clone(), user));
    let page = page::cut(users, input.marker.as_deref(), input.max_items)?;
    Ok(model::ListUsersResponse {
        users: page
            .items
            .into_iter()
            .map(|user| answer::listed_user(user))
            .collect(),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub async fn delete_user(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::DeleteUserRequest,
) -> Result<Unit, ServiceError> {
    let mut change = iam.change().await;
    let user = lookup::principal::<User>(&change.read(), context.account, &input.user_name)?;
    if !change
        .read()
        .keys_of(context.account, &input.user_name)
        .is_empty()
    {
        return Err(error::delete_conflict(
            "Cannot delete entity, must delete access keys first.",
        ));
    }
    user.permissions.check_empty()?;
    change.delete(&*user);
    change.commit().await?;
    Ok(Unit {})
}

/// Renames or moves a user; its keys and policies stay with it.
pub async fn update_user(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::UpdateUserRequest,
) -> Result<Unit, ServiceError> {
    let mut change = iam.change().await;
    let found = lookup::principal::<User>(&change.read(), context.account, &input.user_name)?;
    let mut user = (*found).clone();
    if let Some(path) = input.new_path {
        user.path = path;
    }
    if let Some(name) = input.new_user_name {
        let is_other = name.to_lowercase() != found.name.to_lowercase();
        if is_other && change.read().find::<User>(context.account, &name).is_some() {
            return Err(name_taken(&name));
        }
        change.delete(&*found);
        let keys = change.read().keys_of(context.account, &found.name);
        for key in keys {
            change.put_key(AccessKey {
                user: name.to_lowercase(),
                ..(*key).clone()
            })?;
        }
        user.name = name;
    }
    change.put(user)?;
    change.commit().await?;
    Ok(Unit {})
}

fn name_taken(name: &str) -> ServiceError {
    error::already_exists(format!("User with name {name} already exists."))
}
