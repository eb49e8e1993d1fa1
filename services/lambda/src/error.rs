//! Every error a client of Lambda can see, as Lambda words it.

use std::fmt::Display;

use base::{Arn, Region};
use http::StatusCode;
use service::ServiceError;
use store::StoreError;
use wire::Value;

fn user(code: &'static str, status: StatusCode, message: impl Into<String>) -> ServiceError {
    ServiceError::new(code, status, message).with_member("Type", Value::Str("User".to_owned()))
}

/// A value or a combination of values that the model allows and Lambda does not.
pub fn invalid_parameter(message: impl Into<String>) -> ServiceError {
    user(
        "InvalidParameterValueException",
        StatusCode::BAD_REQUEST,
        message,
    )
}

/// Something Lambda does that is not here yet, by name.
pub fn not_yet(what: impl Display) -> ServiceError {
    invalid_parameter(format!("Kagero does not support {what} yet."))
}

/// A broken constraint that the model does not state, worded like those it does.
pub fn constraint(value: impl Display, member: &str, constraint: &str) -> ServiceError {
    ServiceError::bad_request(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
             constraint: {constraint}"
        ),
    )
}

pub fn not_found(message: impl Into<String>) -> ServiceError {
    user("ResourceNotFoundException", StatusCode::NOT_FOUND, message)
}

pub fn function_not_found(arn: &Arn) -> ServiceError {
    not_found(format!("Function not found: {arn}"))
}

pub fn alias_not_found(arn: &Arn) -> ServiceError {
    not_found(format!("Cannot find alias arn: {arn}"))
}

/// `name` is an ARN, or what was given in its place.
pub fn no_capacity_provider(name: impl Display) -> ServiceError {
    not_found(format!("Capacity provider not found: {name}"))
}

pub fn too_many_capacity_providers() -> ServiceError {
    user(
        "CapacityProviderLimitExceededException",
        StatusCode::BAD_REQUEST,
        "The maximum number of capacity providers for your account has been exceeded.",
    )
}

pub fn too_many_versions_of_capacity_provider() -> ServiceError {
    user(
        "FunctionVersionsPerCapacityProviderLimitExceededException",
        StatusCode::BAD_REQUEST,
        "The maximum number of function versions that can be associated with a single capacity \
         provider has been exceeded.",
    )
}

/// A function on a capacity provider was invoked by its name alone, and nothing has been published
/// for that.
pub fn no_published_version() -> ServiceError {
    user(
        "NoPublishedVersionException",
        StatusCode::BAD_REQUEST,
        "The function has no published versions available.",
    )
}

/// Scaling was asked for a version that has none.
pub fn not_on_a_capacity_provider() -> ServiceError {
    ServiceError::new(
        "AccessDeniedException",
        StatusCode::FORBIDDEN,
        "The function provided by the arn does not contain a capacity provider configuration",
    )
}

/// UpdateAlias says it in other words than the rest.
pub fn no_alias_to_update(arn: &Arn) -> ServiceError {
    not_found(format!("Alias not found: {arn}"))
}

/// No such mapping or policy.
pub fn no_such_resource() -> ServiceError {
    not_found("The resource you requested does not exist.")
}

pub fn wrong_region(theirs: &str, ours: &Region) -> ServiceError {
    not_found(format!(
        "Functions from '{theirs}' are not reachable in this region ('{ours}')"
    ))
}

pub fn qualifier_mismatch() -> ServiceError {
    invalid_parameter(
        "The derived qualifier from the function name does not match the specified qualifier.",
    )
}

pub fn conflict(message: impl Into<String>) -> ServiceError {
    user("ResourceConflictException", StatusCode::CONFLICT, message)
}

/// A version or an alias was named where only a whole function can be meant.
pub fn functions_only() -> ServiceError {
    invalid_parameter(
        "This operation is permitted on Lambda functions only. Aliases and versions do not \
         support this operation. Please specify either a function name or an unqualified \
         function ARN.",
    )
}

/// Provisioned concurrency was asked for `$LATEST`.
pub fn unpublished_not_provisioned() -> ServiceError {
    invalid_parameter(
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
    )
}

/// The provisioned concurrency of `$LATEST` was asked about.
pub fn neither_version_nor_alias() -> ServiceError {
    invalid_parameter("The function resource provided must be an alias or a published version.")
}

/// While an alias leads to two versions its provisioned concurrency stays as it is.
pub fn weights_and_provisioned() -> ServiceError {
    invalid_parameter("Alias with weights can not be used with Provisioned Concurrency")
}

pub fn no_provisioned_concurrency() -> ServiceError {
    user(
        "ProvisionedConcurrencyConfigNotFoundException",
        StatusCode::NOT_FOUND,
        "No Provisioned Concurrency Config found for this function",
    )
}

/// A policy that would let everybody in.
pub fn public_policy() -> ServiceError {
    user(
        "PublicPolicyException",
        StatusCode::BAD_REQUEST,
        "The resource-based policy you tried to add to the Lambda resource would grant public \
         access to it, which isn't allowed.",
    )
}

/// A published version that SnapStart has yet to prepare.
pub fn snap_start_not_ready() -> ServiceError {
    user(
        "SnapStartNotReadyException",
        StatusCode::CONFLICT,
        "Lambda is initializing your function. You can invoke the function when the function \
         state becomes Active.",
    )
}

/// A restored environment whose hooks failed.
pub fn snap_start_failed() -> ServiceError {
    user(
        "SnapStartException",
        StatusCode::BAD_REQUEST,
        "The afterRestore() runtime hook encountered an error. For more information, check the \
         Amazon CloudWatch logs.",
    )
}

/// A restored environment whose hooks took too long.
pub fn snap_start_timed_out() -> ServiceError {
    user(
        "SnapStartTimeoutException",
        StatusCode::REQUEST_TIMEOUT,
        "Lambda couldn't restore the snapshot within the timeout limit.",
    )
}

/// A published version that SnapStart could not prepare.
pub fn not_active(state: &str) -> ServiceError {
    conflict(format!(
        "The operation cannot be performed at this time. The function is currently in the \
         following state: {state}"
    ))
}

pub fn mapping_in_use(verb: &str) -> ServiceError {
    user(
        "ResourceInUseException",
        StatusCode::BAD_REQUEST,
        format!("Cannot {verb} the event source mapping because it is in use."),
    )
}

pub fn stale_revision() -> ServiceError {
    user(
        "PreconditionFailedException",
        StatusCode::PRECONDITION_FAILED,
        "The Revision Id provided does not match the latest Revision Id. Call the \
         GetFunction/GetAlias API to retrieve the latest Revision Id",
    )
}

/// The role exists and its trust policy does not let Lambda in, or there is no such role.
pub fn role_not_assumable() -> ServiceError {
    invalid_parameter("The role defined for the function cannot be assumed by Lambda.")
}

pub fn not_unzippable() -> ServiceError {
    invalid_parameter(
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )
}

/// An image's name that names none.
pub fn invalid_image(uri: &str) -> ServiceError {
    invalid_parameter(format!(
        "Source image {uri} is not valid. Provide a valid source image."
    ))
}

pub fn image_not_found(uri: &str) -> ServiceError {
    invalid_parameter(format!(
        "Source image {uri} does not exist. Provide a valid source image."
    ))
}

pub fn image_unsupported(uri: &str) -> ServiceError {
    invalid_parameter(format!(
        "The image manifest, config or layer media type for the source image {uri} is not \
         supported."
    ))
}

pub fn image_denied() -> ServiceError {
    ServiceError::new(
        "AccessDeniedException",
        StatusCode::FORBIDDEN,
        "Lambda does not have permission to access the ECR image. Check the ECR permissions.",
    )
}

/// `limit` is of the whole request: what fits into the limit of a package, in base64.
pub fn request_too_large(limit: usize, operation: &str) -> ServiceError {
    too_large(format!(
        "Request must be smaller than {limit} bytes for the {operation} operation"
    ))
}

pub fn too_large(message: impl Into<String>) -> ServiceError {
    user(
        "RequestEntityTooLargeException",
        StatusCode::PAYLOAD_TOO_LARGE,
        message,
    )
}

pub fn invalid_content(message: impl Into<String>) -> ServiceError {
    user(
        "InvalidRequestContentException",
        StatusCode::BAD_REQUEST,
        message,
    )
}

/// `reason` is one of the model's ThrottleReason.
pub fn throttled(reason: &str) -> ServiceError {
    let mut error = user(
        "TooManyRequestsException",
        StatusCode::TOO_MANY_REQUESTS,
        "Rate Exceeded.",
    )
    .with_member("Reason", Value::Str(reason.to_owned()));
    error.retry_after_seconds = Some(1);
    error
}

pub fn code_storage_exceeded() -> ServiceError {
    user(
        "CodeStorageExceededException",
        StatusCode::BAD_REQUEST,
        "Code storage limit exceeded.",
    )
}

pub fn policy_too_long(length: usize, limit: usize) -> ServiceError {
    user(
        "PolicyLengthExceededException",
        StatusCode::BAD_REQUEST,
        format!("The final policy size ({length}) is bigger than the limit ({limit})."),
    )
}

pub fn code_signing_config_not_found(arn: &str) -> ServiceError {
    user(
        "CodeSigningConfigNotFoundException",
        StatusCode::NOT_FOUND,
        format!(
            "The code signing configuration cannot be found. Check that the provided \
             configuration is not deleted: {arn}."
        ),
    )
}

/// The function has been reached by its own doing too often.
pub fn recursive() -> ServiceError {
    user(
        "RecursiveInvocationException",
        StatusCode::BAD_REQUEST,
        "Lambda has detected your function being invoked in a recursive loop with other Amazon \
         Web Services resources and stopped your function's invocation.",
    )
}

/// Code that is to be signed and is not.
pub fn unsigned(function: &Arn) -> ServiceError {
    user(
        "CodeVerificationFailedException",
        StatusCode::BAD_REQUEST,
        format!(
            "Lambda cannot deploy the function. The function or layer might be signed using a \
             signature that the client is not configured to accept. Check the provided signature \
             for {function}."
        ),
    )
}

/// The function's own policy does not let the caller invoke it.
pub fn invoke_denied(caller: &str, function: &Arn) -> ServiceError {
    ServiceError::new(
        "AccessDeniedException",
        StatusCode::FORBIDDEN,
        format!(
            "User: {caller} is not authorized to perform: lambda:InvokeFunction on resource: \
             {function} because no resource-based policy allows the lambda:InvokeFunction action"
        ),
    )
}

/// The role was assumable when it was set, and no longer is.
pub fn role_denied() -> ServiceError {
    ServiceError::new(
        "AccessDeniedException",
        StatusCode::FORBIDDEN,
        "The role defined for the function cannot be assumed by Lambda.",
    )
}

/// The function's runtime cannot run here.
pub fn invalid_runtime(message: impl Into<String>) -> ServiceError {
    user("InvalidRuntimeException", StatusCode::BAD_GATEWAY, message)
}

/// The function's code cannot be had.
pub fn invalid_code(message: impl Into<String>) -> ServiceError {
    user("InvalidZipFileException", StatusCode::BAD_GATEWAY, message)
}

/// A layer version as a part of a function, or of an operation on its policy.
pub fn layer_version_missing(arn: impl Display) -> String {
    format!("Layer version {arn} does not exist.")
}

/// The version's own policy does not let the caller's account use it.
pub fn layer_denied(caller: impl Display, action: &str, layer_version: &Arn) -> ServiceError {
    ServiceError::new(
        "AccessDeniedException",
        StatusCode::FORBIDDEN,
        format!(
            "User: {caller} is not authorized to perform: {action} on resource: {layer_version} \
             because no resource-based policy allows the {action} action"
        ),
    )
}

pub fn stale_layer_policy() -> ServiceError {
    user(
        "PreconditionFailedException",
        StatusCode::PRECONDITION_FAILED,
        "The Revision Id provided does not match the latest Revision Id. Call the \
         GetLayerPolicy API to retrieve the latest Revision Id",
    )
}

/// Something of ours failed. Log the cause before making this.
pub fn service_failed() -> ServiceError {
    ServiceError::new(
        "ServiceException",
        StatusCode::INTERNAL_SERVER_ERROR,
        "An error occurred and the request cannot be processed.",
    )
    .with_member("Type", Value::Str("Service".to_owned()))
}

/// Logs why the store failed; the client learns that it may retry.
#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
pub fn store_failed(error: StoreError) -> ServiceError {
    tracing::error!(%error, "lambda: the store failed");
    service_failed()
}
