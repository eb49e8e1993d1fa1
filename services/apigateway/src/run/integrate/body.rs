//! The body that an integration gets: through a template, or as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::g;
use crate::generated::{ContentHandlingStrategy, GatewayResponseType as Kind};
use crate::run::call::Call;
use crate::run::mapping::{self, Parameters};
use crate::run::refusal::Refusal;
use crate::run::{context, media};

/// What goes to the integration.
#[derive(Debug, Default)]
pub struct Outgoing {
    pub body: Bytes,
    pub parameters: Parameters,
    pub response_override: vtl::Json,
    /// The media type of the body, which a header may tell otherwise.
    pub kind: String,
}

/// Makes the integration's request of the client's.
pub fn outgoing(call: &Call, integration: &g::Integration) -> Result<Outgoing, Refusal> {
    let told = context::of(call);
    let kind = media::of(&call.headers);
    let mut parameters = mapping::request_parameters(call, &told);
    let body = handled(call, integration, &kind)?;
    let templates = integration.request_templates.as_ref();
    let template =
        templates.and_then(|templates| templates.get(&kind).or_else(|| templates.get("$default")));
    let Some(template) = template else {
        let has_templates = templates.is_some_and(|templates| !templates.is_empty());
        let passes = match integration.passthrough_behavior.as_deref() {
            Some("NEVER") => false,
            Some("WHEN_NO_TEMPLATES") => !has_templates,
            _ => true,
        };
        if !passes {
            return Err(Refusal::new(
                Kind::UnsupportedMediaType,
                "Unsupported Media Type",
            ));
        }
        return Ok(Outgoing {
            body,
            parameters,
            response_override: vtl::Json::Null,
            kind,
        });
    };
    let text = String::from_utf8_lossy(&body);
    let rendered = mapping::render(call, template, &text, &told)?;
    call.log.line(|| {
        format!(
            "Endpoint request body after transformations: {}",
            rendered.text
        )
    });
    mapping::override_parameters(&mut parameters, &rendered.request_override);
    Ok(Outgoing {
        body: Bytes::from(rendered.text),
        parameters,
        response_override: rendered.response_override,
        kind,
    })
}

/// Text made binary, or binary made text, where the integration wants it.
fn handled(call: &Call, integration: &g::Integration, kind: &str) -> Result<Bytes, Refusal> {
    let types = call.deployed.snapshot.info.binary_media_types.as_deref();
    let is_binary = media::is_binary(types, kind);
    match integration.content_handling {
        Some(ContentHandlingStrategy::ConvertToText) if is_binary => {
            Ok(Bytes::from(STANDARD.encode(&call.body)))
        }
        Some(ContentHandlingStrategy::ConvertToBinary) if !is_binary => {
            let decoded = STANDARD.decode(call.body.trim_ascii());
            let decoded = decoded.map_err(|_| {
                call.log
                    .line(|| "Execution failed: the body is no base64".to_owned());
                Refusal::configuration()
            })?;
            Ok(Bytes::from(decoded))
        }
        _ => Ok(call.body.clone()),
    }
}
