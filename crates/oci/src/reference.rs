//! How an image is named: `host[:port]/repository[:tag][@digest]`.

use std::fmt;

use crate::{Digest, is_repository, is_tag};

/// The name of an image in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Host, and port if it has one.
    pub registry: String,
    pub repository: String,
    pub tag: Option<String>,
    /// Says more than a tag.
    pub digest: Option<Digest>,
}

impl Reference {
    /// `None` for text that names no image of a registry.
    pub fn parse(text: &str) -> Option<Self> {
        let (registry, rest) = text.split_once('/')?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        let is_valid = is_host(registry) && is_repository(repository) && tag.is_none_or(is_tag);
        is_valid.then(|| Self {
            registry: registry.to_ascii_lowercase(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// What the registry is asked for.
    pub fn wanted(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// The same image by its digest.
    pub fn resolved(&self, digest: Digest) -> String {
        format!("{}/{}@{digest}", self.registry, self.repository)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

/// A host has a dot or a port, or is this one: so that `library/ubuntu` is none's.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    !host.is_empty()
        && host.bytes().all(is_named)
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
        && (host.contains(['.', ':']) || port.is_some() || host == "localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_by_host_repository_tag_and_digest() {
        let digest = Digest::of(b"x");
        let whole = format!("localhost:5000/team/app:v1@{digest}");
        let parsed = Reference::parse(&whole).unwrap();
        assert_eq!(parsed.registry, "localhost:5000");
        assert_eq!(parsed.repository, "team/app");
        assert_eq!(parsed.tag.as_deref(), Some("v1"));
        assert_eq!(parsed.wanted(), digest.to_string());
        assert_eq!(parsed.to_string(), whole);
        let plain = Reference::parse("123456789012.dkr.ecr.us-east-1.amazonaws.com/app").unwrap();
        assert_eq!(plain.wanted(), "latest");
        for bad in [
            "app:latest",
            "library/ubuntu",
            "localhost/",
            "localhost/App",
            "localhost/app:",
            "localhost/app@sha256:0",
            "localhost:x/app",
            "localhost/../app",
            "",
        ] {
            assert_eq!(Reference::parse(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,80}") {
            if let Some(parsed) = Reference::parse(&text) {
                proptest::prop_assert!(Reference::parse(&parsed.to_string()) == Some(parsed));
            }
        }
    }
}
