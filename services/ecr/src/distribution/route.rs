//! What a path below `/v2/` is about. Names of repositories have slashes, so that it is read from
//! its end.

use http::request::Parts;
use percent_encoding::percent_decode_str;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Whether there is a registry at all.
    Version,
    Catalog,
    Tags {
        name: String,
    },
    Referrers {
        name: String,
        digest: String,
    },
    Manifest {
        name: String,
        reference: String,
    },
    Blob {
        name: String,
        digest: String,
    },
    Uploads {
        name: String,
    },
    Upload {
        name: String,
        id: String,
    },
}

impl Target {
    pub fn repository(&self) -> Option<&str> {
        match self {
            Self::Version | Self::Catalog => None,
            Self::Tags { name }
            | Self::Referrers { name, .. }
            | Self::Manifest { name, .. }
            | Self::Blob { name, .. }
            | Self::Uploads { name }
            | Self::Upload { name, .. } => Some(name),
        }
    }
}

/// `None` for a path that is none of the API's.
pub fn target(path: &str) -> Option<Target> {
    let rest = path.strip_prefix("/v2")?;
    if rest.is_empty() || rest == "/" {
        return Some(Target::Version);
    }
    let decoded = percent_decode_str(rest.strip_prefix('/')?)
        .decode_utf8()
        .ok()?;
    let parts: Vec<&str> = decoded.split('/').collect();
    if parts == ["_catalog"] {
        return Some(Target::Catalog);
    }
    let named = |parts: &[&str]| parts.join("/");
    match parts.as_slice() {
        [name @ .., "tags", "list"] if !name.is_empty() => Some(Target::Tags { name: named(name) }),
        [name @ .., "blobs", "uploads" | "uploads/"] | [name @ .., "blobs", "uploads", ""]
            if !name.is_empty() =>
        {
            Some(Target::Uploads { name: named(name) })
        }
        [name @ .., "blobs", "uploads", id] if !name.is_empty() => Some(Target::Upload {
            name: named(name),
            id: (*id).to_owned(),
        }),
        [name @ .., "blobs", digest] if !name.is_empty() => Some(Target::Blob {
            name: named(name),
            digest: (*digest).to_owned(),
        }),
        [name @ .., "manifests", reference] if !name.is_empty() => Some(Target::Manifest {
            name: named(name),
            reference: (*reference).to_owned(),
        }),
        [name @ .., "referrers", digest] if !name.is_empty() => Some(Target::Referrers {
            name: named(name),
            digest: (*digest).to_owned(),
        }),
        _ => None,
    }
}

/// The decoded value of a parameter of the query.
pub fn parameter(parts: &Parts, name: &str) -> Option<String> {
    let pairs = parts.uri.query()?.split('&');
    let mut values = pairs.filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    });
    let value = values.next()?.replace('+', " ");
    let decoded = percent_decode_str(&value).decode_utf8_lossy();
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_have_slashes() {
        let name = || "team/app".to_owned();
        assert_eq!(target("/v2/"), Some(Target::Version));
        assert_eq!(target("/v2"), Some(Target::Version));
        assert_eq!(target("/v2/_catalog"), Some(Target::Catalog));
        for path in ["/v2/team/app/blobs/uploads/", "/v2/team/app/blobs/uploads"] {
            assert_eq!(target(path), Some(Target::Uploads { name: name() }));
        }
        assert_eq!(
            target("/v2/team/app/blobs/uploads/1"),
            Some(Target::Upload {
                name: name(),
                id: "1".to_owned()
            })
        );
        assert_eq!(
            target("/v2/team/app/blobs/sha256%3Aab"),
            Some(Target::Blob {
                name: name(),
                digest: "sha256:ab".to_owned()
            })
        );
        assert_eq!(
            target("/v2/team/app/manifests/latest"),
            Some(Target::Manifest {
                name: name(),
                reference: "latest".to_owned()
            })
        );
        for none in [
            "/v2/app",
            "/v2/manifests/latest",
            "/v1/",
            "/v2x",
            "/v2/%ff/tags/list",
        ] {
            assert_eq!(target(none), None, "{none}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_read_without_a_panic(path in "/v2/.{0,60}") {
            let _ = target(&path);
        }
    }
}
