//! Requests of services described by a model: collected, decoded, authorized, dispatched, encoded.

use auth::sigv4::SignedRequest;
use auth::{AuthError, ServiceStyle};
use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use http::request::Parts;
use http::{HeaderName, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use service::{Body, RequestContext, Service, ServiceError};
use sha2::{Digest, Sha256};
use wire::{
    ErrorParts, OperationSchema, Protocol, Routed, RoutedOperation, ServiceSchema, Value, WireError,
};

use crate::access_log::Entry;
use crate::answer::{FormApi, in_words, not_implemented_form};
use crate::authenticate::Caller;
use crate::body::{BodyError, collect, full, limit};
use crate::host::HostHint;
use crate::listen::Connection;
use crate::registry::{Endpoint, Registry};
use crate::route;
use crate::{AuthMode, Gateway};

/// The CRC-32 of a body in decimal, by which DynamoDB's clients know that it is whole.
const CRC32: HeaderName = HeaderName::from_static("x-amz-crc32");

impl Gateway {
    #[expect(
        clippy::too_many_arguments,
        reason = "all that is known of one request"
    )]
    pub(crate) async fn answer_modelled(
        &self,
        registry: &Registry,
        service: &dyn Service,
        host: &HostHint,
        signed: Result<Option<SignedRequest>, AuthError>,
        (parts, body): (Parts, Incoming),
        connection: &Connection,
        entry: &mut Entry,
    ) -> Response<Body> {
        let limit = limit(service.schema().signing_name);
        let room = connection.room_for(body.size_hint().upper(), limit).await;
        let body = collect(body, limit).await;
        // From here on it is answered for as long as that takes, and others may come.
        drop(room);
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                return refuse_body(service, &parts, &error, &entry.request_id.to_string());
            }
        };
        self.answer_collected(
            registry,
            service,
            host,
            signed,
            (parts, body),
            connection,
            entry,
        )
        .await
    }

    /// An unsigned form says in its body which API it is for.
    pub(crate) async fn answer_form(
        &self,
        registry: &Registry,
        (parts, body): (Parts, Incoming),
        connection: &Connection,
        entry: &mut Entry,
    ) -> Response<Body> {
        let room = connection
            .room_for(body.size_hint().upper(), limit("form"))
            .await;
        let body = collect(body, limit("form")).await;
        drop(room);
        let Ok(body) = body else {
            let what = "an unsigned form of that size";
            return not_implemented_form(what, FormApi::Query, entry);
        };
        let form = String::from_utf8_lossy(&body);
        let version = route::query_parameter(&form, "Version");
        let found = registry
            .by_query_version(version.as_deref(), parts.uri.path())
            .cloned();
        let Some(Endpoint::Modelled(service)) = found else {
            let what = match version {
                Some(version) => format!("an API of version {version}"),
                None => "an unsigned form without a Version".to_owned(),
            };
            return not_implemented_form(&what, FormApi::Query, entry);
        };
        entry.service = Some(service.schema().signing_name);
        let host = HostHint::default();
        self.answer_collected(
            registry,
            &*service,
            &host,
            Ok(None),
            (parts, body),
            connection,
            entry,
        )
        .await
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all that is known of one request"
    )]
    async fn answer_collected(
        &self,
        registry: &Registry,
        service: &dyn Service,
        host: &HostHint,
        signed: Result<Option<SignedRequest>, AuthError>,
        (parts, body): (Parts, Bytes),
        connection: &Connection,
        entry: &mut Entry,
    ) -> Response<Body> {
        let schema = service.schema();
        let routed = wire::route(schema, &parts, &body);
        let protocol = spoken(schema, &routed);
        let identified = match &signed {
            Ok(signed) => {
                let hash = self.body_hash(signed.as_ref(), &body);
                self.identify(
                    registry,
                    schema.signing_name,
                    &parts,
                    signed.as_ref(),
                    host,
                    connection,
                    hash,
                )
                .await
            }
            Err(error) => Err(error.clone()),
        };
        let caller = match identified {
            Ok(caller) => caller,
            Err(error) => {
                let error = in_words(&error, style(protocol));
                return encode_error(service, protocol, &error, &entry.request_id.to_string());
            }
        };
        let context = self.context(&caller, &parts, connection, entry);
        let request_id = entry.request_id.to_string();
        let routed = match routed {
            Ok(routed) => routed,
            Err(error) => {
                return respond(
                    service,
                    wire::encode_wire_error(schema, protocol, &error, &request_id),
                );
            }
        };
        entry.operation = Some(name(&routed).to_owned());
        let call = Call {
            service,
            caller: &caller,
            context,
            routed,
        };
        match self.dispatch(call, &parts, &body).await {
            Ok(Answered {
                operation,
                output,
                body: None,
            }) => respond(
                service,
                wire::encode_response(schema, operation, protocol, output, &request_id),
            ),
            Ok(Answered {
                operation,
                output,
                body: Some(body),
            }) => wire::encode_head(operation, &output, &request_id).map(|()| body),
            Err(Refusal::Wire(error)) => respond(
                service,
                wire::encode_wire_error(schema, protocol, &error, &request_id),
            ),
            Err(Refusal::Service(error)) => encode_error(service, protocol, &error, &request_id),
        }
    }

    /// Decodes, authorizes and runs one operation.
    async fn dispatch(
        &self,
        call: Call<'_>,
        parts: &Parts,
        body: &Bytes,
    ) -> Result<Answered, Refusal> {
        let Call {
            service,
            caller,
            context,
            routed,
        } = call;
        let schema = service.schema();
        let (operation, labels) = match routed.operation {
            RoutedOperation::Known { schema, labels } => (schema, labels),
            RoutedOperation::Absent(name) => {
                return Err(ServiceError::not_implemented(schema.id, name).into());
            }
        };
        let mut input = wire::decode(schema, operation, routed.protocol, &labels, parts, body)?;
        // In permissive mode everyone may do everything: nobody need know what would be asked.
        if self.config.auth == AuthMode::Enforce {
            for (action, resource) in service.accesses(operation.name, &context, &input) {
                self.authorize(caller, &action, &resource, &context)
                    .map_err(|error| in_words(&error, style(routed.protocol)))?;
            }
        }
        let streamed = service.stream(operation.name, &context, &mut input).await;
        let (output, body) = match streamed {
            Some(streamed) => streamed.map(|(output, body)| (output, Some(body)))?,
            None => (service.call(operation.name, context, input).await?, None),
        };
        Ok(Answered {
            operation,
            output,
            body,
        })
    }

    /// The hash a signature covers, where somebody will check it.
    fn body_hash(&self, signed: Option<&SignedRequest>, body: &Bytes) -> Option<[u8; 32]> {
        let checked = self.config.auth == AuthMode::Enforce && signed.is_some();
        checked.then(|| Sha256::digest(body).into())
    }
}

/// A call whose caller and operation are known.
struct Call<'a> {
    service: &'a dyn Service,
    caller: &'a Caller,
    context: RequestContext,
    routed: Routed,
}

/// What an operation answered.
struct Answered {
    operation: &'static OperationSchema,
    output: Value,
    /// Where it is a stream.
    body: Option<Body>,
}

/// Why an operation did not answer: the request was not one, or the service refused it.
enum Refusal {
    Wire(WireError),
    Service(ServiceError),
}

impl From<WireError> for Refusal {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

fn name(routed: &Routed) -> &'static str {
    match &routed.operation {
        RoutedOperation::Known { schema, .. } => schema.name,
        RoutedOperation::Absent(name) => name,
    }
}

/// The protocol of a request, also of one that means no operation; the service's own if none shows.
fn spoken(schema: &ServiceSchema, routed: &Result<Routed, WireError>) -> Protocol {
    match routed {
        Ok(routed) => routed.protocol,
        Err(error) => error.protocol.unwrap_or(schema.protocols[0]),
    }
}

/// How a protocol words errors of authentication.
fn style(protocol: Protocol) -> ServiceStyle {
    match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => ServiceStyle::AwsJson,
        Protocol::RestJson => ServiceStyle::RestJson,
        Protocol::Query => ServiceStyle::Query,
        Protocol::RestXml => ServiceStyle::S3,
    }
}

/// A body that could not be had. Lambda's text names the limit and the operation.
fn refuse_body(
    service: &dyn Service,
    parts: &Parts,
    error: &BodyError,
    id: &str,
) -> Response<Body> {
    let schema = service.schema();
    let routed = wire::route(schema, parts, &[]);
    let operation = routed.as_ref().map_or("this", name);
    let protocol = spoken(schema, &routed);
    let error = match error {
        BodyError::TooLarge { limit } => ServiceError::new(
            "RequestEntityTooLargeException",
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("Request must be smaller than {limit} bytes for the {operation} operation"),
        ),
        BodyError::Broken(cause) => {
            tracing::debug!(%cause, "a request's body ended early");
            ServiceError::bad_request(
                "RequestTimeout",
                "The request body was not received in full.",
            )
        }
    };
    encode_error(service, protocol, &error, id)
}

fn encode_error(
    service: &dyn Service,
    protocol: Protocol,
    error: &ServiceError,
    request_id: &str,
) -> Response<Body> {
    let bytes = error_bytes(service.schema(), protocol, error, request_id);
    respond(service, bytes)
}

fn error_bytes(
    schema: &ServiceSchema,
    protocol: Protocol,
    error: &ServiceError,
    request_id: &str,
) -> Response<Bytes> {
    let parts = ErrorParts {
        code: &error.code,
        query_code: error.query_code,
        message: &error.message,
        status: error.status,
        members: &error.members,
        retry_after_seconds: error.retry_after_seconds,
        request_id,
    };
    wire::encode_error(schema, protocol, &parts)
}

/// A request of another service in this process, which has said who asks.
pub(crate) async fn answer_inside(
    service: &dyn Service,
    context: RequestContext,
    parts: &Parts,
    body: &Bytes,
) -> Response<Bytes> {
    let schema = service.schema();
    let routed = wire::route(schema, parts, body);
    let protocol = spoken(schema, &routed);
    let id = context.request_id.to_string();
    let answered = match routed.map(|routed| routed.operation) {
        Ok(RoutedOperation::Known {
            schema: operation,
            labels,
        }) => match wire::decode(schema, operation, protocol, &labels, parts, body) {
            Ok(input) => service
                .call(operation.name, context, input)
                .await
                .map(|output| (operation, output)),
            Err(error) => return wire::encode_wire_error(schema, protocol, &error, &id),
        },
        Ok(RoutedOperation::Absent(name)) => Err(ServiceError::not_implemented(schema.id, name)),
        Err(error) => return wire::encode_wire_error(schema, protocol, &error, &id),
    };
    match answered {
        Ok((operation, output)) => wire::encode_response(schema, operation, protocol, output, &id),
        Err(error) => error_bytes(schema, protocol, &error, &id),
    }
}

/// What a call over the wire would have got for an input that breaks the model.
pub(crate) fn validation_error(error: WireError) -> ServiceError {
    let WireError {
        code,
        query_code,
        message,
        status,
        ..
    } = error;
    ServiceError {
        query_code,
        ..ServiceError::new(code, status, message)
    }
}

fn respond(service: &dyn Service, mut response: Response<Bytes>) -> Response<Body> {
    if service.checksums_answers() {
        let crc = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, response.body());
        response.headers_mut().insert(CRC32, crc.into());
    }
    response.map(full)
}
