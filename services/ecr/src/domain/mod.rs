//! Pure rules, without IO.

pub mod authority;
pub mod manifest;
pub mod media_type;
pub mod mutability;
pub mod token;
