//! The operations of IAM, by resource, and those of STS.

pub mod access_keys;
mod answer;
pub mod attachments;
pub mod inline_policies;
mod lookup;
pub mod policies;
pub mod policy_entities;
pub mod policy_versions;
pub mod roles;
pub mod sts;
pub mod tags;
pub mod users;
