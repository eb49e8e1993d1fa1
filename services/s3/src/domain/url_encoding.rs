//! Percent-encoding, in the two forms S3 uses.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but letters, digits, `-`, `.`, `_`, `~`, `*` and the slash.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'*')
    .remove(b'/');

/// For lists with `encoding-type=url`.
pub fn in_list(text: &str) -> String {
    utf8_percent_encode(text, KEY).to_string()
}

/// For the key in an event: as a form encodes it, so a space is a plus.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
pub fn in_event(key: &str) -> String {
    in_list(key).replace("%20", "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_pluses_and_other_scripts() {
        assert_eq!(in_event("red flower+1.jpg"), "red+flower%2B1.jpg");
        assert_eq!(in_event("写真/a.png"), "%E5%86%99%E7%9C%9F/a.png");
        assert_eq!(in_list("a b%c\u{1}"), "a%20b%25c%01");
    }
}
