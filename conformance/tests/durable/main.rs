//! Durable functions: AWS's own SDKs in the function, boto3 and the AWS CLI outside.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod histories;
mod kills;
mod operations;
mod order;
mod sdks;
mod shapes;
mod support;
