//! From the wire layer's trait to the operations.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use service::ServiceError;

use crate::call::Call;
use crate::error::Error;
use crate::state::State;

/// The receiver of the operations table in `lib.rs`.
pub struct Operations(pub Arc<State>);

/// Where an operation's error waits for the answer to be written: the wire layer's own error
/// type cannot carry all of it.
#[derive(Clone, Default)]
pub struct Failure(Arc<Mutex<Option<ServiceError>>>);

impl Failure {
    /// The first failure is the cause of the others.
    pub fn set(&self, error: ServiceError) {
        self.0.lock().get_or_insert(error);
    }

    pub fn take(&self) -> Option<ServiceError> {
        self.0.lock().take()
    }
}

/// The status of an answer where the wire layer would choose another; it looks at no status of
/// ours but hands extensions through.
#[derive(Clone, Copy)]
pub struct Status(pub StatusCode);

/// What else is done to a document that the wire layer has written.
#[derive(Clone, Copy)]
pub struct Rewrite(pub fn(&Bytes) -> Bytes);

/// An output, with what the wire layer cannot say: headers, a status, parts of the document.
pub struct Custom<O> {
    pub output: O,
    pub headers: HeaderMap,
    pub status: Option<StatusCode>,
    pub rewrite: Option<Rewrite>,
}

impl<O> Custom<O> {
    /// With the id of the version it is about, where the wire layer has no member for it.
    pub fn of_version(output: O, version_id: Option<String>) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(id) = version_id.and_then(|id| id.parse().ok()) {
            headers.insert("x-amz-version-id", id);
        }
        Self {
            output,
            headers,
            status: None,
            rewrite: None,
        }
    }

    /// A 204, where the wire layer would say 200.
    pub fn no_content(output: O) -> Self {
        Self {
            output,
            headers: HeaderMap::new(),
            status: Some(StatusCode::NO_CONTENT),
            rewrite: None,
        }
    }

    /// A document in which something is put that the wire layer has no member for.
    pub fn rewritten(output: O, rewrite: Option<Rewrite>) -> Self {
        Self {
            output,
            headers: HeaderMap::new(),
            status: None,
            rewrite,
        }
    }
}

/// What operations may give back for an output.
pub trait Reply<O> {
    fn into_response(self) -> S3Response<O>;
}

impl<O> Reply<O> for O {
    fn into_response(self) -> S3Response<O> {
        S3Response::new(self)
    }
}

impl<O> Reply<O> for Custom<O> {
    fn into_response(self) -> S3Response<O> {
        let mut response = S3Response::with_headers(self.output, self.headers);
        if let Some(status) = self.status {
            response.extensions.insert(Status(status));
        }
        if let Some(rewrite) = self.rewrite {
            response.extensions.insert(rewrite);
        }
        response
    }
}

impl Operations {
    pub async fn run<I, O, R, F>(
        &self,
        request: S3Request<I>,
        operation: impl FnOnce(Arc<State>, Arc<Call>, I) -> F,
    ) -> S3Result<S3Response<O>>
    where
        R: Reply<O>,
        F: Future<Output = Result<R, Error>>,
    {
        let S3Request {
            input, extensions, ..
        } = request;
        let call = extensions.get::<Arc<Call>>().cloned();
        let call = call.expect("every request enters with its call");
        match operation(Arc::clone(&self.0), call, input).await {
            Ok(reply) => Ok(reply.into_response()),
            Err(error) => {
                let error = error.into_service_error();
                let code = S3ErrorCode::from_bytes(error.code.as_bytes());
                let mut stand_in = S3Error::new(code.unwrap_or(S3ErrorCode::InternalError));
                stand_in.set_status_code(error.status);
                if let Some(failure) = extensions.get::<Failure>() {
                    failure.set(error);
                }
                Err(stand_in)
            }
        }
    }
}

/// Writes the wire layer's trait from the operations table; what the table does not name answers
/// NotImplemented.
macro_rules! operations {
    ($($method:ident($input:ident) -> $output:ident = $operation:path;)*) => {
        #[async_trait::async_trait]
        impl s3s::S3 for $crate::dispatch::Operations {
            $(async fn $method(
                &self,
                request: s3s::S3Request<s3s::dto::$input>,
            ) -> s3s::S3Result<s3s::S3Response<s3s::dto::$output>> {
                self.run(request, $operation).await
            })*
        }
    };
}
pub(crate) use operations;
