//! Pure rules, without IO.

pub mod arn;
pub mod attributes;
pub mod delivery_policy;
pub mod endpoint;
pub mod filter;
pub mod message;
pub mod page;
pub mod permission;
