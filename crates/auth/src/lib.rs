//! Who is calling and may they: SigV4, credentials, policy evaluation. No IO.
//!
//! [`sigv4::parse`] finds a request's signature, [`sigv4::SignedRequest::verify`] checks it against
//! the key's secret, [`chunked`] decodes `aws-chunked` bodies, and [`policy`] decides whether the
//! caller may. Who a key belongs to is not known here.

pub mod chunked;
mod error;
pub mod policy;
mod secret;
mod sigv2;
pub mod sigv4;

pub use error::{AuthError, ErrorParts, Mechanism, Mismatch, ServiceStyle};
pub use secret::constant_time_eq;
