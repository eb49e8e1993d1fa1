//! MOCK: the request's template says which response is given.

use std::sync::LazyLock;

use regex::Regex;

use super::Answered;
use super::body::outgoing;
use crate::g;
use crate::run::call::Call;
use crate::run::refusal::Refusal;

/// AWS reads the template's result leniently: `{statusCode: 200}` will do.
static STATUS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"["']?statusCode["']?\s*:\s*["']?([0-9]{3})\b"#).expect("a pattern of ours")
});

pub fn run(call: &Call, integration: &g::Integration) -> Result<Answered, Refusal> {
    let out = outgoing(call, integration)?;
    let text = String::from_utf8_lossy(&out.body);
    let status = STATUS.captures(&text).map(|found| found[1].to_owned());
    let Some(status) = status else {
        call.log.line(|| {
            "Execution failed due to configuration error: Unable to parse statusCode. It should be an integer defined in request template.".to_owned()
        });
        return Err(Refusal::configuration());
    };
    Ok(Answered {
        selector: status,
        body: bytes::Bytes::new(),
        overrides: out.response_override,
        ..Answered::default()
    })
}
