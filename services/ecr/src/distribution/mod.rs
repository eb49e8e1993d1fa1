//! The OCI distribution API: how clients push and pull.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

mod access;
mod answer;
mod blobs;
pub mod content;
mod listings;
mod manifests;
mod route;
mod uploads;

use std::sync::Arc;

use async_trait::async_trait;
use base::{AccountId, Region};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST};
use http::request::Parts;
use http::{Method, Request, Response};
use service::{Access, Body, HttpService, RequestContext, ServiceError};

use crate::Ecr;
use crate::domain::authority;
use crate::domain::token::Token;
use crate::ops::scheme;
use crate::records::RepositoryId;
use answer::{Failure, empty};
use oci::is_repository;
use route::Target;

/// What the gateway calls for requests below `/v2/`.
pub fn endpoint(ecr: &Arc<Ecr>) -> Arc<dyn HttpService> {
    Arc::new(Distribution(Arc::clone(ecr)))
}

struct Distribution(Arc<Ecr>);

/// One request, from somebody who may make it.
pub(crate) struct Call<'a> {
    pub ecr: &'a Ecr,
    pub account: AccountId,
    pub region: Region,
    pub parts: &'a Parts,
}

impl Call<'_> {
    pub fn repository(&self, name: &str) -> RepositoryId {
        RepositoryId {
            account: self.account,
            region: self.region.clone(),
            name: name.to_owned(),
        }
    }

    /// The decoded value of a parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        route::parameter(self.parts, name)
    }
}

#[async_trait]
impl HttpService for Distribution {
    fn signing_name(&self) -> &'static str {
        "ecr"
    }

    /// Never asked: tokens are judged here.
    fn access(&self, _: &Parts) -> Access {
        Access {
            action: String::new(),
            resource: String::new(),
        }
    }

    fn admits_anonymous(&self, _: &Parts) -> bool {
        true
    }

    async fn handle(&self, context: RequestContext, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let is_head = parts.method == Method::HEAD;
        let answered = match self.admit(&context, &parts).await {
            Ok(call) => answer(&call, body).await,
            Err(failure) => Err(failure),
        };
        let response =
            answered.unwrap_or_else(|failure| failure.response(&parts, scheme(&context)));
        if is_head {
            return response.map(|_| empty());
        }
        response
    }

    fn error_response(&self, _: &RequestContext, error: &ServiceError) -> Response<Body> {
        Failure::from(error.clone()).plain_response()
    }

    async fn call(
        &self,
        operation: &str,
        _: RequestContext,
        _: wire::Value,
    ) -> Result<wire::Value, ServiceError> {
        Err(ServiceError::not_implemented("ECR", operation))
    }
}

impl Distribution {
    /// Whose registry a request is for, and whether its caller may use that.
    async fn admit<'a>(
        &'a self,
        context: &RequestContext,
        parts: &'a Parts,
    ) -> Result<Call<'a>, Failure> {
        let ecr = &*self.0;
        let token = self.token(parts);
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(http::uri::Authority::as_str));
        let registry = host.and_then(authority::registry);
        let registry = registry.or_else(|| {
            let token = token.as_ref()?;
            Some((token.account, token.region.clone()))
        });
        let (account, region) = registry.unwrap_or_else(|| {
            // Nothing tells: then the region that has such a repository is meant.
            let account = context.account;
            let target = route::target(parts.uri.path());
            let name = target.as_ref().and_then(Target::repository);
            let found = name.and_then(|name| {
                let (all, first) = (&ecr.repositories, &context.region);
                all.region_of(account, name, first)
            });
            (account, found.unwrap_or_else(|| context.region.clone()))
        });
        let call = Call {
            ecr,
            account,
            region,
            parts,
        };
        if let Some(credentials) = &ecr.credentials {
            let token = token.ok_or_else(Failure::unauthorized)?;
            if token.account != account || !access::is_for(&token, parts) {
                return Err(Failure::denied(account));
            }
            access::check(&call, &token, &**credentials, context).await?;
        }
        Ok(call)
    }

    /// What the request's token says: of basic authentication, or of a download address.
    fn token(&self, parts: &Parts) -> Option<Token> {
        let now = self.0.clock.now();
        let basic = || {
            let header = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
            let (scheme, credentials) = header.split_once(' ')?;
            if !scheme.eq_ignore_ascii_case("basic") {
                return None;
            }
            let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
            let (user, password) = text.split_once(':')?;
            (user == "AWS").then(|| password.to_owned())
        };
        let sealed = basic().or_else(|| route::parameter(parts, "token"))?;
        self.0.key.open(&sealed, now)
    }
}

async fn answer(call: &Call<'_>, body: Body) -> Result<Response<Body>, Failure> {
    let target = route::target(call.parts.uri.path()).ok_or_else(Failure::no_such_path)?;
    if let Some(name) = target.repository()
        && !is_repository(name)
    {
        return Err(Failure::name_invalid(name));
    }
    let method = &call.parts.method;
    let reads = matches!(*method, Method::GET | Method::HEAD);
    match &target {
        Target::Version if reads => Ok(answer::version()),
        Target::Catalog if reads => listings::catalog(call),
        Target::Tags { name } if reads => listings::tags(call, name),
        Target::Referrers { name, digest } if reads => listings::referrers(call, name, digest),
        Target::Manifest { name, reference } if reads => manifests::get(call, name, reference),
        Target::Manifest { name, reference } if *method == Method::PUT => {
            manifests::put(call, name, reference, body).await
        }
        Target::Manifest { name, reference } if *method == Method::DELETE => {
            manifests::delete(call, name, reference).await
        }
        Target::Blob { name, digest } if reads => blobs::get(call, name, digest).await,
        Target::Uploads { name } if *method == Method::POST => {
            uploads::begin(call, name, body).await
        }
        Target::Upload { name, id } => match *method {
            Method::GET => uploads::status(call, name, id).await,
            Method::PATCH => uploads::append(call, name, id, body).await,
            Method::PUT => uploads::finish(call, name, id, body).await,
            Method::DELETE => uploads::cancel(call, name, id),
            _ => Err(Failure::unsupported(method)),
        },
        _ => Err(Failure::unsupported(method)),
    }
}
