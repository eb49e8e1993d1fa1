//! What every HTTP front door shares: function URLs, REST, HTTP and WebSocket APIs.
//!
//! A request's road: [`address`] says which API or function it is for; [`event`] makes Lambda's
//! event of it (payload formats 1.0 and 2.0), or [`client`] sends it on, as far as [`reach`] lets it; [`answer`] makes a response
//! of the function's result. [`authorizer`] asks a function first, [`throttle`] counts, and
//! [`access_log`] writes a line about it.
//!
//! # What is absent
//! Routes, stages and any API's configuration: those are the services'.

pub mod access_log;
pub mod address;
pub mod answer;
pub mod authorizer;
pub mod client;
pub mod cors;
pub mod event;
pub mod invoke;
pub mod reach;
pub mod request;
pub mod service_uri;
pub mod signer;
pub mod throttle;

pub use address::Address;
pub use answer::Malformed;
