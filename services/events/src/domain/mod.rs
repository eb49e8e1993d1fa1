//! Pure rules, without IO.

pub mod connection;
pub mod event;
pub mod input;
pub mod managed;
pub mod names;
pub mod page;
pub mod path;
pub mod policy;
pub mod target;
