//! The two services of this crate, as the gateway sees them.

use std::sync::Arc;

use async_trait::async_trait;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::domain::ids;
use crate::identity::{Identity, role_arn, user_arn};
use crate::records::{Role, User};
use crate::{OPERATIONS, STS_OPERATIONS, generated, generated_sts};

pub struct Iam(pub Arc<Identity>);

pub struct Sts(pub Arc<Identity>);

#[async_trait]
impl Service for Iam {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        dispatch(OPERATIONS, "IAM", &self.0, operation, context, input).await
    }

    /// The role, user or policy the input names; lists are about what is under a path.
    fn resource(&self, operation: &str, context: &RequestContext, input: &Value) -> String {
        let member = |name: &str| input.get(name).and_then(Value::as_str);
        let path = member("Path").unwrap_or("/");
        let arn = |kind: &str, name: &str| ids::arn(context.account, kind, path, name).to_string();
        let prefix = member("PathPrefix").unwrap_or("/");
        let listed = |kind: &str| ids::arn(context.account, kind, prefix, "").to_string();
        let state = self.0.directory.read();
        if let Some(name) = member("RoleName") {
            let role = state.find::<Role>(context.account, name);
            return role.map_or_else(|| arn("role", name), |role| role_arn(&role).to_string());
        }
        if let Some(name) = member("UserName") {
            let user = state.find::<User>(context.account, name);
            return user.map_or_else(|| arn("user", name), |user| user_arn(&user).to_string());
        }
        if let Some(policy) = member("PolicyArn") {
            return policy.to_owned();
        }
        match member("PolicyName") {
            Some(name) => arn("policy", name),
            // Without a name the operations on users are about the caller.
            None => match operation {
                "ListRoles" => listed("role"),
                "ListUsers" => listed("user"),
                "ListPolicies" => format!("policy path {prefix}"),
                _ => context.principal.name(),
            },
        }
    }
}

#[async_trait]
impl Service for Sts {
    fn schema(&self) -> &'static ServiceSchema {
        &generated_sts::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        dispatch(STS_OPERATIONS, "STS", &self.0, operation, context, input).await
    }

    fn resource(&self, operation: &str, _: &RequestContext, input: &Value) -> String {
        let role = input.get("RoleArn").and_then(Value::as_str);
        role.filter(|_| operation == "AssumeRole")
            .unwrap_or("*")
            .to_owned()
    }

    /// Everyone may ask who they are and take a session of their own. AssumeRole weighs the role's
    /// trust policy against the caller's policies itself. None of them is for the gateway to
    /// authorize, which an empty action says.
    fn action(&self, operation: &str) -> String {
        match operation {
            "GetCallerIdentity" | "GetSessionToken" | "AssumeRole" => String::new(),
            _ => format!("sts:{operation}"),
        }
    }
}
