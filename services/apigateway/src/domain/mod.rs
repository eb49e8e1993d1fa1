//! Rules without IO.

pub mod defaults;
pub mod expressions;
pub mod ids;
pub mod patch;
pub mod patches;
pub mod paths;
