//! Names of repositories and tags.

/// Whether a repository may have this name, which over HTTP no model has checked.
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
pub fn is_repository(name: &str) -> bool {
    (2..=256).contains(&name.len()) && name.split('/').all(is_component)
}

/// Lower-case letters and digits, with single separators between them.
fn is_component(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    is_plain(*first)
        && is_plain(*last)
        && bytes
            .split(|byte| is_plain(*byte))
            .all(|between| matches!(between, b"" | b"." | b"_" | b"__") || is_dashes(between))
}

fn is_dashes(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte == b'-')
}

/// Whether an image may have this tag.
pub fn is_tag(tag: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = tag.as_bytes();
    bytes.len() <= 128
        && bytes.first().is_some_and(|first| is_word(*first))
        && bytes
            .iter()
            .all(|byte| is_word(*byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_specification() {
        for good in ["ab", "a1/b-c/d__e", "my.app", "a--b", "team/app_1"] {
            assert!(is_repository(good), "{good}");
        }
        let long = "a".repeat(257);
        for bad in [
            "a", "", "Ab", "a_", "-ab", "a..b", "a/", "/ab", "a___b", "a//b", &long,
        ] {
            assert!(!is_repository(bad), "{bad}");
        }
        for good in ["latest", "v1.0", "_x", "A-b.c"] {
            assert!(is_tag(good), "{good}");
        }
        for bad in ["", ".a", "-a", "a b", "a/b", "ä", &"a".repeat(129)] {
            assert!(!is_tag(bad), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_judged_without_a_panic(name in ".{0,40}") {
            let _ = (is_repository(&name), is_tag(&name));
        }
    }
}
