//! Conditional requests: entity tags and dates.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>, in the order
//! of precedence of <https://www.rfc-editor.org/rfc/rfc9110.html#section-13.2.2>.

use base::Timestamp;
use http::{HeaderMap, StatusCode};

use crate::error::Error;

/// The four conditions as they were sent.
#[expect(
    clippy::struct_field_names,
    reason = "these are the names of the headers"
)]
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

/// What an object is compared by.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// Without quotes.
    pub etag: &'a str,
    pub last_modified: Timestamp,
}

impl Conditions {
    /// Takes the condition headers that begin with `prefix` out of a request: none for the
    /// object's own, `x-amz-copy-source-` for a copy's source. A date that is none is ignored.
    pub fn take(headers: &mut HeaderMap, prefix: &str) -> Self {
        let mut take = |name: &str| {
            let value = headers.remove(format!("{prefix}{name}"))?;
            value.to_str().ok().map(str::to_owned)
        };
        let (if_match, if_none_match) = (take("if-match"), take("if-none-match"));
        let mut date = |name| take(name).as_deref().and_then(Timestamp::parse_http_date);
        Self {
            if_match,
            if_none_match,
            if_modified_since: date("if-modified-since"),
            if_unmodified_since: date("if-unmodified-since"),
        }
    }

    /// Whether a GET or HEAD of this version goes ahead.
    ///
    /// # Errors
    /// `PreconditionFailed` (412) or `NotModified` (304).
    pub fn check_read(&self, version: Version<'_>) -> Result<(), Error> {
        let modified_at = version.last_modified.seconds();
        if let Some(list) = &self.if_match {
            if !list_names(list, version.etag) {
                return Err(Error::precondition_failed("If-Match"));
            }
        } else if let Some(since) = self.if_unmodified_since
            && modified_at > since.seconds()
        {
            return Err(Error::precondition_failed("If-Unmodified-Since"));
        }
        if let Some(list) = &self.if_none_match {
            if list_names(list, version.etag) {
                return Err(not_modified(version));
            }
        } else if let Some(since) = self.if_modified_since
            && modified_at <= since.seconds()
        {
            return Err(not_modified(version));
        }
        Ok(())
    }

    /// Whether a copy of this source version goes ahead: as a read, but every refusal is a 412.
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn check_copy_source(&self, version: Version<'_>) -> Result<(), Error> {
        self.check_read(version).map_err(|error| match error {
            Error::Client(error) if error.status == StatusCode::NOT_MODIFIED => {
                Error::precondition_failed(if self.if_none_match.is_some() {
                    "x-amz-copy-source-If-None-Match"
                } else {
                    "x-amz-copy-source-If-Modified-Since"
                })
            }
            _ => Error::precondition_failed(if self.if_match.is_some() {
                "x-amz-copy-source-If-Match"
            } else {
                "x-amz-copy-source-If-Unmodified-Since"
            }),
        })
    }

    /// Whether a write over what is there now (if anything) goes ahead.
    ///
    /// # Errors
    /// `PreconditionFailed`; `NoSuchKey` when If-Match meets no object.
    pub fn check_write(&self, present: Option<&str>, key: &str) -> Result<(), Error> {
        match (&self.if_match, present) {
            (Some(_), None) => return Err(Error::no_such_key(key)),
            (Some(list), Some(etag)) if !list_names(list, etag) => {
                return Err(Error::precondition_failed("If-Match"));
            }
            _ => {}
        }
        match (&self.if_none_match, present) {
            (Some(_), Some(_)) => Err(Error::precondition_failed("If-None-Match")),
            _ => Ok(()),
        }
    }

    /// Whether the conditions can be judged on a write at all: S3 knows `If-None-Match` there
    /// with `*` only.
    ///
    /// # Errors
    /// `NotImplemented`, as S3 answers.
    pub fn check_writable(&self) -> Result<(), Error> {
        if self
            .if_none_match
            .as_deref()
            .is_some_and(|list| list.trim() != "*")
        {
            let message = "A header you provided implies functionality that is not implemented";
            return Err(
                Error::new("NotImplemented", StatusCode::NOT_IMPLEMENTED, message)
                    .with("Header", "If-None-Match"),
            );
        }
        Ok(())
    }
}

/// Carries the validators a 304 must have; they leave as headers.
fn not_modified(version: Version<'_>) -> Error {
    Error::new("NotModified", StatusCode::NOT_MODIFIED, "Not Modified")
        .with("etag", format!("\"{}\"", version.etag))
        .with("last-modified", version.last_modified.http_date())
}

/// Whether a list of entity tags names this one: quoted, weak, bare or `*`.
fn list_names(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|item| {
        let item = item.strip_prefix("W/").unwrap_or(item);
        item == "*" || item.trim_matches('"') == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V: Version<'_> = Version {
        etag: "abc",
        last_modified: Timestamp::from_millis(1_795_466_144_900),
    };

    fn conditions(pairs: &[(&'static str, &str)]) -> Conditions {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        Conditions::take(&mut headers, "")
    }

    fn status(conditions: &Conditions) -> u16 {
        match conditions.check_read(V) {
            Ok(()) => 200,
            Err(Error::Client(error)) => error.status.as_u16(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn tags_and_dates_of_a_read() {
        let at = "Mon, 23 Nov 2026 20:35:44 GMT";
        let before = "Mon, 23 Nov 2026 20:35:43 GMT";
        for (pairs, expected) in [
            (&[("if-match", "\"abc\"")][..], 200),
            (&[("if-match", "abc")], 200),
            (&[("if-match", "\"x\", \"abc\"")], 200),
            (&[("if-match", "*")], 200),
            (&[("if-match", "\"x\"")], 412),
            (&[("if-none-match", "\"abc\"")], 304),
            (&[("if-none-match", "W/\"abc\"")], 304),
            (&[("if-none-match", "\"x\"")], 200),
            (&[("if-modified-since", at)], 304),
            (&[("if-modified-since", before)], 200),
            (&[("if-modified-since", "yesterday")], 200),
            (&[("if-unmodified-since", at)], 200),
            (&[("if-unmodified-since", before)], 412),
            (
                &[("if-match", "\"abc\""), ("if-unmodified-since", before)],
                200,
            ),
            (
                &[("if-none-match", "\"x\""), ("if-modified-since", at)],
                200,
            ),
        ] {
            assert_eq!(status(&conditions(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn writes() {
        let none = conditions(&[("if-none-match", "*")]);
        assert!(none.check_write(None, "k").is_ok());
        assert!(none.check_write(Some("abc"), "k").is_err());
        let only = conditions(&[("if-match", "\"abc\"")]);
        assert!(only.check_write(Some("abc"), "k").is_ok());
        assert!(only.check_write(Some("x"), "k").is_err());
        assert!(only.check_write(None, "k").is_err());
        assert!(
            conditions(&[("if-none-match", "\"x\"")])
                .check_writable()
                .is_err()
        );
    }
}
