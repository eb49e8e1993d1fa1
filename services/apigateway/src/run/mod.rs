//! Requests to deployed APIs.
//!
//! A request's road: [`find`] says which API, stage and deployment; [`router`] which resource;
//! [`authorize`] whether the caller may; [`plans`] counts; [`validation`] reads it against models;
//! [`integrate`] sends it on and [`respond`] makes the response. Wherever it ends early, [`refusal`]
//! answers with the API's gateway response.

pub mod authorize;
pub mod call;
pub mod compression;
pub mod context;
pub mod endpoint;
pub mod find;
pub mod integrate;
pub mod mapping;
pub mod media;
pub mod plans;
pub mod refusal;
pub mod respond;
pub mod router;
pub mod validation;

use bytes::Bytes;
use http::Response;

use crate::ApiGateway;
use call::Call;
use refusal::Refusal;

/// What comes of a request whose resource and method are known.
pub async fn answer(service: &ApiGateway, call: &mut Call) -> Result<Response<Bytes>, Refusal> {
    authorize::resource_policy(service, call)?;
    authorize::authorize(service, call).await?;
    plans::admit(service, call)?;
    validation::check(call)?;
    integrate::run(service, call).await
}
