//! Pure rules, without IO.

pub mod expression;
pub mod jwt;
pub mod mapping;
pub mod openapi;
pub mod route_key;
pub mod router;
pub mod validation;
