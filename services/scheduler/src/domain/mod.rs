//! Pure rules, without IO.

pub mod page;
pub mod settings;
pub mod target;
pub mod timing;
