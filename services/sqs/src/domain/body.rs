//! What a message body may hold.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>

use super::Fault;

/// The largest message, attributes included, and the largest batch of them, in bytes (1 MiB).
pub const MAX_BYTES: usize = 1_048_576;

/// Checks that a body is there and holds only characters XML 1.0 allows.
pub fn check(body: &str) -> Result<(), Fault> {
    if body.is_empty() {
        return Err(Fault::Missing("MessageBody"));
    }
    match body.chars().find(|c| !is_allowed(*c)) {
        None => Ok(()),
        Some(bad) => Err(Fault::MessageContents(format!(
            "Invalid binary character '#x{:X}' was found in the message body, the set of allowed \
             characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to \
             #x10FFFF",
            u32::from(bad)
        ))),
    }
}

/// Whether text that SQS stores may hold the character.
pub fn is_allowed(c: char) -> bool {
    matches!(c,
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xml_characters_only() {
        assert_eq!(check("tab\t line\r\n 日本 \u{10FFFF} \u{FFFD}"), Ok(()));
        assert_eq!(check(""), Err(Fault::Missing("MessageBody")));
        for bad in ["\0", "a\u{b}", "\u{fffe}", "\u{ffff}", "\u{1f}"] {
            assert!(
                matches!(check(bad), Err(Fault::MessageContents(_))),
                "{bad:?}"
            );
        }
        let fault = check("x\u{b}").unwrap_err().to_string();
        assert!(
            fault.starts_with("Invalid binary character '#xB' was found"),
            "{fault}"
        );
    }
}
