//! The protocols by name; each has its own module.

/// How a request is written, and so its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `application/x-amz-json-1.0`, operation in `X-Amz-Target`.
    AwsJson10,
    /// `application/x-amz-json-1.1`, operation in `X-Amz-Target`.
    AwsJson11,
    /// Operation by method and path, bodies in JSON.
    RestJson,
    /// Form-encoded requests with `Action`, answers in XML.
    Query,
    /// Operation by method and path, bodies in XML.
    RestXml,
}
