//! The credential: an access key and what its signature is good for.

use crate::{AuthError, Mechanism};

/// `20130524/us-east-1/s3/aws4_request`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `YYYYMMDD`.
    pub date: String,
    pub region: String,
    pub service: String,
}

impl Scope {
    /// As it stands in the string to sign.
    pub fn to_text(&self) -> String {
        format!(
            "{}/{}/{}/aws4_request",
            self.date, self.region, self.service
        )
    }
}

/// Reads `AKID/date/region/service/aws4_request`. The key may itself contain slashes, as tools
/// that make keys up do, so the text is read from its end.
pub(super) fn parse_credential(
    credential: &str,
    mechanism: Mechanism,
) -> Result<(String, Scope), AuthError> {
    let malformed = || AuthError::MalformedCredential {
        mechanism,
        credential: credential.to_owned(),
    };
    let mut from_end = credential.rsplitn(5, '/');
    let mut next = || from_end.next().ok_or_else(malformed);
    let terminator = next()?;
    let (service, region, date, key) = (next()?, next()?, next()?, next()?);
    if key.is_empty() || service.is_empty() || date.is_empty() {
        return Err(malformed());
    }
    if terminator != "aws4_request" {
        return Err(AuthError::WrongTerminator {
            mechanism,
            terminator: terminator.to_owned(),
        });
    }
    let scope = Scope {
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    };
    Ok((key.to_owned(), scope))
}
