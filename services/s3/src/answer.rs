//! Answers in S3's form: error documents, and the headers every answer has.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use service::{Body, RequestContext, ServiceError};
use wire::Value;

use crate::call;
use crate::carried;
use crate::dispatch::Rewrite;
use crate::error::{Error, broken_body};

/// The longest is the list of 10,000 parts, each with the longest checksum: 3 MB.
const MOST_BYTES_OF_DOCUMENT: usize = 8 << 20;

/// The bytes of a document that a request brings.
///
/// # Errors
/// `IncompleteBody`, or `MalformedXML` when it is longer than any can be.
pub async fn collect(mut body: Body) -> Result<Bytes, ServiceError> {
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken_body(&error))?;
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        collected.extend_from_slice(&bytes);
        if collected.len() > MOST_BYTES_OF_DOCUMENT {
            return Err(Error::malformed_xml().into_service_error());
        }
    }
    Ok(collected.freeze())
}

/// A whole body.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// The answer to a request that failed. A HEAD gets no body, a 304 neither body nor code.
pub fn failure(
    context: &RequestContext,
    method: Option<&Method>,
    error: &ServiceError,
) -> Response<Body> {
    let mut response = Response::new(full(Bytes::new()));
    *response.status_mut() = error.status;
    for (name, value) in error.members.iter().filter(|(name, _)| is_header(name)) {
        let value = value.as_str().and_then(|text| text.parse().ok());
        if let Some(value) = value {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    if error.status != StatusCode::NOT_MODIFIED {
        let xml = HeaderValue::from_static("application/xml");
        response.headers_mut().insert(header::CONTENT_TYPE, xml);
        if method != Some(&Method::HEAD) {
            *response.body_mut() = full(document(context, method, error));
        }
    }
    if let Some(seconds) = error.retry_after_seconds {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    identify(context, &mut response);
    response
}

/// Elements of S3's documents begin with a capital.
fn is_header(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Adds the ids by which a request is spoken of.
pub fn identify(context: &RequestContext, response: &mut Response<Body>) {
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set("x-amz-request-id", context.request_id.to_string());
    set("x-amz-id-2", call::host_id(context));
}

fn document(context: &RequestContext, method: Option<&Method>, error: &ServiceError) -> String {
    let mut xml = String::with_capacity(512);
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    element(&mut xml, "Code", code(&error.code));
    element(&mut xml, "Message", &error.message);
    for (name, value) in error.members.iter().filter(|(name, _)| !is_header(name)) {
        match value {
            Value::Str(text) if *name == "Method" => {
                element(
                    &mut xml,
                    name,
                    method.map_or(text, |method| method.as_str()),
                );
            }
            Value::Str(text) => element(&mut xml, name, text),
            Value::Int(number) => element(&mut xml, name, &number.to_string()),
            _ => {}
        }
    }
    element(&mut xml, "RequestId", &context.request_id.to_string());
    element(&mut xml, "HostId", &call::host_id(context));
    xml.push_str("</Error>");
    xml
}

/// An error as a website shows it.
pub fn error_page(context: &RequestContext, error: &ServiceError) -> String {
    let title = error.status.to_string();
    let mut page =
        format!("<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n");
    let mut item = |name: &str, text: &str| {
        writeln!(page, "<li>{name}: {}</li>", escape(text))
            .expect("writing to a string cannot fail");
    };
    item("Code", code(&error.code));
    item("Message", &error.message);
    for (name, value) in error.members.iter().filter(|(name, _)| !is_header(name)) {
        item(name, value.as_str().unwrap_or_default());
    }
    item("RequestId", &context.request_id.to_string());
    item("HostId", &call::host_id(context));
    page.push_str("</ul>\n<hr/>\n</body>\n</html>\n");
    page
}

/// What a form is answered that asks for a 201.
pub fn post_response(location: &str, bucket: &str, key: &str, etag: &str) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>");
    element(&mut xml, "Location", location);
    element(&mut xml, "Bucket", bucket);
    element(&mut xml, "Key", key);
    element(&mut xml, "ETag", etag);
    xml.push_str("</PostResponse>");
    xml
}

/// The gateway's errors carry the codes of AWS's JSON services; S3 has its own for some.
pub fn code(code: &str) -> &str {
    match code {
        "AccessDeniedException" => "AccessDenied",
        "InternalFailure" => "InternalError",
        "NotImplementedException" => "NotImplemented",
        "InvalidClientTokenId" | "UnrecognizedClientException" => "InvalidAccessKeyId",
        other => other,
    }
}

pub fn element(xml: &mut String, name: &str, text: &str) {
    write!(xml, "<{name}>{}</{name}>", escape(text)).expect("writing to a string cannot fail");
}

/// The body of an answer as it leaves. What the wire layer has in memory is a document of its own,
/// whose root must name S3's namespace, and in which control characters are written as S3 writes
/// them: as references, though XML 1.0 knows none of the kind.
pub fn document_or_stream(body: s3s::Body, rewrite: Option<Rewrite>) -> Body {
    match body.bytes() {
        Some(document) => {
            let document = rewrite.map_or_else(|| document.clone(), |it| (it.0)(&document));
            full(mend(carried::document_out(document)))
        }
        None => body.boxed_unsync(),
    }
}

fn mend(document: Bytes) -> Bytes {
    let (declaration, root) = match document.windows(2).position(|two| two == b"?>") {
        Some(end) if document.starts_with(b"<?xml") => document.split_at(end + 2),
        _ => return document,
    };
    let Some(end) = root.iter().position(|byte| *byte == b'>') else {
        return document;
    };
    let names_space = root[..end].windows(6).any(|six| six == b"xmlns=");
    let is_odd = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n');
    if names_space && !root.iter().any(is_odd) {
        return document;
    }
    let mut mended = Vec::with_capacity(document.len() + 64);
    mended.extend_from_slice(declaration);
    for (at, byte) in root.iter().enumerate() {
        if at == end && !names_space {
            let start = if root[end - 1] == b'/' {
                mended.pop()
            } else {
                None
            };
            mended.extend_from_slice(NAMESPACE);
            mended.extend(start);
        }
        if is_odd(byte) {
            mended.extend_from_slice(format!("&#x{byte:X};").as_bytes());
        } else {
            mended.push(*byte);
        }
    }
    mended.into()
}

const NAMESPACE: &[u8] = b" xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// Text that XML 1.0 can hold: what it cannot is left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push(c),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Words for the errors the wire layer finds by itself, which it often leaves without any.
pub fn wire_error(code: &str, message: &str, status: StatusCode) -> ServiceError {
    if let Some((name, value)) = unreadable_argument(message) {
        let words = unreadable_words(name, message);
        return Error::invalid_argument(words, name, value).into_service_error();
    }
    let message = match code {
        "NotImplemented" => not_implemented(message),
        _ if !message.is_empty() => message.to_owned(),
        _ => default_message(code).to_owned(),
    };
    ServiceError::new(code.to_owned(), status, message)
}

/// The name and value of a parameter or header the wire layer could not read.
fn unreadable_argument(message: &str) -> Option<(&str, &str)> {
    let argument = message
        .strip_prefix("invalid query: ")
        .or_else(|| message.strip_prefix("invalid header: "))?;
    let (name, value) = argument.split_once(": ")?;
    Some((name, value.trim_matches('"')))
}

/// S3's words for it, where it has its own.
fn unreadable_words(name: &str, message: &str) -> String {
    match name {
        "max-buckets" | "max-keys" | "max-parts" | "max-uploads" => {
            format!("Provided {name} not an integer or within integer range")
        }
        "partNumber" => "Part number must be an integer between 1 and 10000, inclusive".to_owned(),
        "x-amz-copy-source" => {
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey".to_owned()
        }
        _ => message.to_owned(),
    }
}

fn not_implemented(message: &str) -> String {
    match message.strip_suffix(" is not implemented yet") {
        Some(operation) => format!("Kagero does not implement {operation} yet."),
        None if message == "Unknown operation" => {
            "A header or query you provided implies functionality that is not implemented.".into()
        }
        None => message.to_owned(),
    }
}

fn default_message(code: &str) -> &'static str {
    match code {
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published \
             schema"
        }
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "MissingRequestBodyError" => "Request Body is empty",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        }
        "InvalidArgument" => "Invalid Argument",
        "InvalidRequest" => "Invalid Request",
        _ => "We encountered an internal error. Please try again.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_stays_xml() {
        assert_eq!(escape("a<b>&\"c\u{1}\u{0}é"), "a&lt;b&gt;&amp;&quot;cé");
    }

    #[test]
    fn documents_name_their_space_and_refer_to_control_characters() {
        let mended = |text: &'static str| mend(Bytes::from_static(text.as_bytes()));
        assert_eq!(
            mended("<?xml version=\"1.0\"?><A><B>a\u{1}\rb\n</B></A>"),
            "<?xml version=\"1.0\"?><A xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <B>a&#x1;&#xD;b\n</B></A>"
        );
        assert_eq!(
            mended("<?xml?><A/>"),
            "<?xml?><A xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>"
        );
        let fine = "<?xml?><A xmlns=\"x\"><B>犬</B></A>";
        for same in [fine, "{}", "", "<?xml", "<?xml?>", "<?xml?><A"] {
            assert_eq!(mended(same), same);
        }
    }

    #[test]
    fn an_absent_operation_is_named() {
        let error = wire_error(
            "NotImplemented",
            "GetBucketWebsite is not implemented yet",
            StatusCode::NOT_IMPLEMENTED,
        );
        assert_eq!(
            error.message,
            "Kagero does not implement GetBucketWebsite yet."
        );
    }
}
