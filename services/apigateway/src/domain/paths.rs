//! Resource paths and their parts.

use proxy::request::decoded_path;

/// `{id}` and `{proxy+}`.
pub fn is_variable(part: &str) -> bool {
    part.starts_with('{') && part.ends_with('}')
}

pub fn is_greedy(part: &str) -> bool {
    is_variable(part) && part.ends_with("+}")
}

/// The name of a variable part.
pub fn variable(part: &str) -> Option<&str> {
    let inner = part.strip_prefix('{')?.strip_suffix('}')?;
    Some(inner.strip_suffix('+').unwrap_or(inner))
}

/// Whether a resource may have this last part: letters, digits and `._-:`, all of it in braces for
/// a variable, with a plus sign at its end for a greedy one.
pub fn is_part(part: &str) -> bool {
    let name = variable(part).unwrap_or(part);
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-:~@$!*'".contains(c);
    !name.is_empty() && name.chars().all(fits)
}

/// The parts of a path, without the empty ones.
pub fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// A path as policies name it, without a slash before it: read as requests' resources are found, so that
/// what is judged is what is matched.
pub fn judged(path: &str) -> String {
    let parts: Vec<String> = parts(path).map(decoded_path).collect();
    parts.join("/")
}

/// A resource's path from its parent's.
pub fn below(parent: &str, part: &str) -> String {
    format!("{}/{part}", parent.trim_end_matches('/'))
}

/// How a stage's settings name a method: `pets/{id}/GET`.
pub fn setting_key(path: &str, method: &str) -> String {
    format!("{}/{method}", path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_spelling_of_a_path_gets_around_a_policy() {
        for path in [
            "/admin/x",
            "/%61dmin/x",
            "//admin/x",
            "/admin%2Fx",
            "/admin/x/",
        ] {
            assert_eq!(judged(path), "admin/x", "{path}");
        }
        assert_eq!(judged("/pets/{id}"), "pets/{id}");
        assert_eq!(judged("/"), "");
    }

    #[test]
    fn parts_as_aws_allows_them() {
        for good in ["pets", "a.b-c_d", "{id}", "{proxy+}", "v1:x"] {
            assert!(is_part(good), "{good}");
        }
        for bad in ["", "a/b", "{}", "{a", "a}", "a b", "{a+b}", "ü"] {
            assert!(!is_part(bad), "{bad}");
        }
        assert!(is_greedy("{proxy+}") && !is_greedy("{proxy}"));
        assert_eq!(below("/", "a"), "/a");
        assert_eq!(below("/a", "{b}"), "/a/{b}");
        assert_eq!(setting_key("/pets/{id}", "GET"), "pets/{id}/GET");
    }
}
