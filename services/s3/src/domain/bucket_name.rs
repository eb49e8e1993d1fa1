//! Names a bucket may have.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>

use std::net::Ipv4Addr;

const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Whether a bucket of this name can exist: 3 to 63 lowercase letters, digits, dots and hyphens,
/// beginning and ending with a letter or digit, no two dots in a row, not an IP address.
pub fn is_valid(name: &str) -> bool {
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let inner = |b: u8| edge(&b) || b == b'.' || b == b'-';
    (3..=63).contains(&name.len())
        && name.bytes().all(inner)
        && name.as_bytes().first().is_some_and(edge)
        && name.as_bytes().last().is_some_and(edge)
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err()
}

/// Whether a client may create a bucket of this name: some prefixes and suffixes are AWS's own.
pub fn may_be_created(name: &str) -> bool {
    is_valid(name)
        && !RESERVED_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
        && !RESERVED_SUFFIXES
            .iter()
            .any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_naming_rules() {
        for good in [
            "abc",
            "my-upload-bucket",
            "a.b.c",
            "123",
            "hot-reload",
            "1.2.3.4.5",
        ] {
            assert!(may_be_created(good), "{good}");
        }
        let long = "a".repeat(64);
        for bad in [
            "",
            "ab",
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            ".ab",
            "ab.",
            "a..b",
            "192.168.5.4",
            "ａｂｃ",
            long.as_str(),
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
        for reserved in ["xn--abc", "sthree-abc", "abc-s3alias", "abc--ol-s3"] {
            assert!(!may_be_created(reserved), "{reserved}");
        }
    }
}
