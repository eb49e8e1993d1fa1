//! The tables that generated code is made of: what travels where, and within which bounds.

/// A service as modelled: what the gateway needs to route and decode.
#[derive(Debug)]
pub struct ServiceSchema {
    /// The folder and crate name, such as `lambda`.
    pub id: &'static str,
    /// The service name in SigV4 credential scopes.
    pub signing_name: &'static str,
    /// The part of `X-Amz-Target` before the dot, for awsJson services.
    pub target_prefix: Option<&'static str>,
    /// The model's version date, such as `2015-03-31`.
    pub api_version: &'static str,
    /// Operations with shapes: those the service implements.
    pub operations: &'static [&'static OperationSchema],
}

/// One operation as modelled.
#[derive(Debug)]
pub struct OperationSchema {
    pub name: &'static str,
}
