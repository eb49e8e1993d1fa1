//! The contract between the gateway and a service, and the ports services reach each other by.

mod context;
mod error;
mod http_service;
mod operation;
pub mod page;
mod policy;
pub mod ports;
mod reach;

pub use context::{Origin, Principal, RequestContext};
pub use error::ServiceError;
pub use http_service::{
    Access, Anonymous, Body, BoxError, CrossOrigin, Demand, HttpService, TrailingHeaders,
};
pub use operation::{
    BoxFuture, Handler, Operation, Service, StreamedOperation, StreamingHandler, dispatch,
};
pub use reach::Reach;
