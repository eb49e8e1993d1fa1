//! Access control lists: who was granted what.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Most grants of a list.
const MAX_GRANTS: usize = 100;
/// EC2's own account, to which `aws-exec-read` grants.
const EC2: &str = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c";

pub const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
pub const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acl {
    pub grants: Vec<Grant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub grantee: Grantee,
    pub permission: Permission,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    /// An account, by its canonical id.
    Account(String),
    /// A group, by its URI.
    Group(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Permission {
    FullControl,
    Read,
    Write,
    ReadAcp,
    WriteAcp,
}

impl Permission {
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullControl => "FULL_CONTROL",
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
        }
    }

    /// # Errors
    /// `MalformedACLError` for anything else.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let all = [
            Self::FullControl,
            Self::Read,
            Self::Write,
            Self::ReadAcp,
            Self::WriteAcp,
        ];
        let known = all.into_iter().find(|permission| permission.name() == name);
        known.ok_or_else(malformed)
    }
}

pub fn malformed() -> Error {
    Error::bad_request(
        "MalformedACLError",
        "The XML you provided was not well-formed or did not validate against our published \
         schema",
    )
}

/// Whose a thing is, by canonical ids.
#[derive(Clone, Copy, Debug)]
pub struct Owners<'a> {
    pub own: &'a str,
    pub bucket: &'a str,
}

impl Acl {
    /// What everything has that nobody gave an ACL.
    pub fn private(owner: &str) -> Self {
        Self {
            grants: vec![grant(
                Grantee::Account(owner.to_owned()),
                Permission::FullControl,
            )],
        }
    }

    /// # Errors
    /// `InvalidArgument` for one that S3 does not have.
    pub fn canned(name: &str, owners: Owners<'_>) -> Result<Self, Error> {
        let group = |uri: &str, permission| grant(Grantee::Group(uri.to_owned()), permission);
        let account = |id: &str, permission| grant(Grantee::Account(id.to_owned()), permission);
        let is_other = owners.own != owners.bucket;
        let more = match name {
            "public-read" => vec![group(ALL_USERS, Permission::Read)],
            "public-read-write" => vec![
                group(ALL_USERS, Permission::Read),
                group(ALL_USERS, Permission::Write),
            ],
            "authenticated-read" => vec![group(AUTHENTICATED, Permission::Read)],
            "aws-exec-read" => vec![account(EC2, Permission::Read)],
            "bucket-owner-read" if is_other => vec![account(owners.bucket, Permission::Read)],
            "bucket-owner-full-control" if is_other => {
                vec![account(owners.bucket, Permission::FullControl)]
            }
            "private" | "bucket-owner-read" | "bucket-owner-full-control" => vec![],
            "log-delivery-write" => vec![
                group(LOG_DELIVERY, Permission::Write),
                group(LOG_DELIVERY, Permission::ReadAcp),
            ],
            other => return Err(Error::invalid_argument("", "x-amz-acl", other)),
        };
        let mut acl = Self::private(owners.own);
        acl.grants.extend(more);
        Ok(acl)
    }

    /// # Errors
    /// `MalformedACLError` for more grants than S3 takes.
    pub fn of_grants(grants: Vec<Grant>) -> Result<Self, Error> {
        if grants.len() > MAX_GRANTS {
            return Err(malformed());
        }
        Ok(Self { grants })
    }

    /// Whether it lets anybody in but one account.
    pub fn is_private(&self) -> bool {
        let mut accounts = self.grants.iter().map(|grant| match &grant.grantee {
            Grantee::Account(id) => Some(id),
            Grantee::Group(_) => None,
        });
        let Some(first) = accounts.next() else {
            return true;
        };
        first.is_some() && accounts.all(|account| account == first)
    }

    /// Whether it lets everybody in.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(|grant| {
            matches!(&grant.grantee, Grantee::Group(uri) if uri == ALL_USERS || uri == AUTHENTICATED)
        })
    }

    /// Whether somebody, an account by its canonical id or nobody known, was granted this.
    pub fn allows(&self, who: Option<&str>, permission: Permission) -> bool {
        self.grants.iter().any(|grant| {
            let is_meant = match &grant.grantee {
                Grantee::Account(id) => who == Some(id),
                Grantee::Group(uri) if uri == ALL_USERS => true,
                Grantee::Group(uri) => uri == AUTHENTICATED && who.is_some(),
            };
            is_meant
                && (grant.permission == permission || grant.permission == Permission::FullControl)
        })
    }
}

pub fn grant(grantee: Grantee, permission: Permission) -> Grant {
    Grant {
        grantee,
        permission,
    }
}

/// An account by its canonical id: 64 hexadecimal digits.
///
/// # Errors
/// `InvalidArgument` for what cannot be one.
pub fn account(id: &str) -> Result<Grantee, Error> {
    if id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(Grantee::Account(id.to_owned()));
    }
    Err(Error::invalid_argument(
        "Invalid id",
        "CanonicalUser/ID",
        id,
    ))
}

/// # Errors
/// `InvalidArgument` for a group S3 does not have.
pub fn group(uri: &str) -> Result<Grantee, Error> {
    if [ALL_USERS, AUTHENTICATED, LOG_DELIVERY].contains(&uri) {
        return Ok(Grantee::Group(uri.to_owned()));
    }
    Err(Error::invalid_argument("Invalid group uri", "uri", uri))
}

/// Nobody here has an e-mail address.
pub fn no_such_email(address: &str) -> Error {
    let message = "The e-mail address you provided does not match any account on record.";
    Error::bad_request("UnresolvableGrantByEmailAddress", message).with("EmailAddress", address)
}

/// The grants of an `x-amz-grant-*` header: `id="…", uri="…", emailAddress="…"`.
///
/// # Errors
/// `InvalidArgument` when it is not of that form.
pub fn parse_header(header: &str, permission: Permission) -> Result<Vec<Grant>, Error> {
    let invalid = || {
        let name = format!(
            "x-amz-grant-{}",
            permission.name().to_ascii_lowercase().replace('_', "-")
        );
        Error::invalid_argument("Argument format not recognized", &name, header)
    };
    let read = |part: &str| {
        let (kind, value) = part.trim().split_once('=').ok_or_else(invalid)?;
        let value = value.trim().trim_matches('"');
        let grantee = match kind.trim().to_ascii_lowercase().as_str() {
            "id" => account(value)?,
            "uri" => group(value)?,
            "emailaddress" => return Err(no_such_email(value)),
            _ => return Err(invalid()),
        };
        Ok(grant(grantee, permission))
    };
    header.split(',').map(read).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWNERS: Owners<'_> = Owners {
        own: "writer",
        bucket: "owner",
    };

    #[test]
    fn canned_lists() {
        let public = Acl::canned("public-read", OWNERS).unwrap();
        assert!(public.is_public() && !public.is_private());
        assert!(public.allows(None, Permission::Read));
        assert!(!public.allows(None, Permission::Write));
        assert!(public.allows(Some("writer"), Permission::WriteAcp));
        let known = Acl::canned("authenticated-read", OWNERS).unwrap();
        assert!(known.is_public() && known.allows(Some("x"), Permission::Read));
        assert!(!known.allows(None, Permission::Read));
        let private = Acl::canned("private", OWNERS).unwrap();
        assert!(private.is_private() && !private.is_public());
        let shared = Acl::canned("bucket-owner-full-control", OWNERS).unwrap();
        assert!(shared.allows(Some("owner"), Permission::Write) && !shared.is_private());
        assert!(Acl::canned("nonsense", OWNERS).is_err());
    }

    #[test]
    fn headers_of_grants() {
        let id = "a".repeat(64);
        let header = format!("id=\"{id}\", uri=\"{ALL_USERS}\"");
        let grants = parse_header(&header, Permission::Read).unwrap();
        assert_eq!(grants.len(), 2);
        assert_eq!(grants[0].grantee, Grantee::Account(id));
        for bad in [
            "",
            "id",
            "id=short",
            "uri=\"http://x\"",
            "emailAddress=\"a@b\"",
            "x=y",
        ] {
            assert!(parse_header(bad, Permission::Read).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(header in ".{0,80}") {
            let _ = parse_header(&header, Permission::Write);
        }
    }
}
