//! The contract between the gateway and a service, and the ports services reach each other by.

mod context;
mod error;
mod http_service;
mod operation;
pub mod ports;

pub use context::{Origin, Principal, RequestContext};
pub use error::ServiceError;
pub use http_service::{Access, Body, BoxError, HttpService, TrailingHeaders};
pub use operation::{BoxFuture, Handler, Operation, Service, dispatch};
