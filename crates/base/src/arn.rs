//! Amazon Resource Names: `arn:partition:service:region:account:resource`.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use std::fmt;
use std::str::FromStr;

use crate::{AccountId, Region};

/// An Amazon Resource Name, split at its first five colons. Region and account may be empty (S3
/// buckets have neither, IAM no region), so they are text here; see [`Arn::account_id`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    pub partition: String,
    pub service: String,
    pub region: String,
    pub account: String,
    /// Everything after the fifth colon, such as `function:hello:$LATEST` or `role/path/name`.
    pub resource: String,
}

/// Why a string is not an ARN.
#[derive(Debug, thiserror::Error)]
#[error("an ARN is arn:partition:service:region:account:resource, got {0:?}")]
pub struct InvalidArn(pub String);

impl Arn {
    /// A resource of an account in a region, in that region's partition.
    pub fn regional(
        service: &str,
        region: &Region,
        account: AccountId,
        resource: impl Into<String>,
    ) -> Self {
        Self {
            partition: region.partition().to_owned(),
            service: service.to_owned(),
            region: region.as_str().to_owned(),
            account: account.as_str().to_owned(),
            resource: resource.into(),
        }
    }

    /// A resource of an account in no region, as IAM's are.
    pub fn global(service: &str, account: AccountId, resource: impl Into<String>) -> Self {
        Self {
            partition: "aws".to_owned(),
            service: service.to_owned(),
            region: String::new(),
            account: account.to_string(),
            resource: resource.into(),
        }
    }

    /// What `to_string` gives, several times as fast: for what is done in each request.
    pub fn to_text(&self) -> String {
        let parts = [
            &self.partition,
            &self.service,
            &self.region,
            &self.account,
            &self.resource,
        ];
        let length = parts.iter().map(|part| part.len() + 1).sum::<usize>();
        let mut text = String::with_capacity("arn".len() + length);
        text.push_str("arn");
        for part in parts {
            text.push(':');
            text.push_str(part);
        }
        text
    }

    /// The owning account, where the ARN names one.
    pub fn account_id(&self) -> Option<AccountId> {
        self.account.parse().ok()
    }

    /// The region, where the ARN names one.
    pub fn region(&self) -> Option<Region> {
        self.region.parse().ok()
    }
}

impl FromStr for Arn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidArn(text.to_owned());
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().map(str::to_owned).ok_or_else(invalid);
        if next()? != "arn" {
            return Err(invalid());
        }
        let arn = Self {
            partition: next()?,
            service: next()?,
            region: next()?,
            account: next()?,
            resource: next()?,
        };
        if arn.partition.is_empty() || arn.service.is_empty() || arn.resource.is_empty() {
            return Err(invalid());
        }
        Ok(arn)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            partition,
            service,
            region,
            account,
            resource,
        } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

impl serde::Serialize for Arn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Arn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_keeps_colons_of_the_resource() {
        for text in [
            "arn:aws:lambda:ap-northeast-1:000000000000:function:hello:$LATEST",
            "arn:aws:s3:::bucket/key:with:colons",
            "arn:aws:iam::123456789012:role/path/name",
        ] {
            let arn: Arn = text.parse().unwrap();
            assert_eq!((arn.to_string(), arn.to_text()), (text.into(), text.into()));
        }
        let arn: Arn = "arn:aws:lambda:eu-west-1:1:function:f".parse().unwrap();
        assert_eq!(arn.account_id(), None);
        assert_eq!(arn.region().unwrap().as_str(), "eu-west-1");
    }

    #[test]
    fn rejects_what_is_not_an_arn() {
        for bad in [
            "",
            "arn",
            "arn:aws:s3",
            "arn:aws:s3:::",
            "urn:aws:s3:::b",
            "arn::s3:::b",
        ] {
            assert!(bad.parse::<Arn>().is_err(), "{bad}");
        }
    }
}
