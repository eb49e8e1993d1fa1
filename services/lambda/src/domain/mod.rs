//! Lambda's rules, free of IO.

pub mod architecture;
pub mod code_source;
pub mod environment_variables;
pub mod function_name;
pub mod mapping;
pub mod marker;
pub mod payload;
pub mod permission;
pub mod runtime;
pub mod settings;
pub mod tags;
