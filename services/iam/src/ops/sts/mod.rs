//! The operations of STS.

mod assume_role;
mod get_access_key_info;
mod get_caller_identity;
mod get_session_token;
mod issue;

pub use assume_role::assume_role;
pub use get_access_key_info::get_access_key_info;
pub use get_caller_identity::get_caller_identity;
pub use get_session_token::get_session_token;
