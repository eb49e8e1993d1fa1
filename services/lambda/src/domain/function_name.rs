//! The forms in which a caller may name a function.
//!
//! `name`, `account:function:name`, `arn:aws:lambda:region:account:function:name`, and each with
//! `:qualifier`. <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use base::{AccountId, Arn, Region};
use service::ServiceError;

use crate::error;

/// Longest bare name; the model's longer bound is for ARNs.
pub const MAX_NAME: usize = 64;

/// An account and a region: where functions of one name space live.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub account: AccountId,
    pub region: Region,
}

/// A function as a caller named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    pub place: Place,
    pub name: String,
    pub qualifier: Option<Qualifier>,
}

/// What follows the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Qualifier {
    Latest,
    /// A published version: a number, or `$LATEST.PUBLISHED`.
    Version(String),
    Alias(String),
}

impl Place {
    pub fn function_arn(&self, name: &str) -> Arn {
        self.arn(format!("function:{name}"))
    }

    pub fn mapping_arn(&self, uuid: &str) -> Arn {
        self.arn(format!("event-source-mapping:{uuid}"))
    }

    pub fn capacity_provider_arn(&self, name: &str) -> Arn {
        self.arn(format!("capacity-provider:{name}"))
    }

    pub fn layer_arn(&self, name: &str) -> Arn {
        self.arn(format!("layer:{name}"))
    }

    fn arn(&self, resource: String) -> Arn {
        Arn::regional("lambda", &self.region, self.account, resource)
    }
}

impl FunctionName {
    /// Reads a name that has matched the model's pattern, as a caller in `from` means it.
    ///
    /// # Errors
    /// A region that is not the caller's; two qualifiers that differ; a name that is too long.
    pub fn parse(text: &str, qualifier: Option<&str>, from: &Place) -> Result<Self, ServiceError> {
        let parts = Parts::of(text);
        if let Some(region) = parts.region
            && region != from.region.as_str()
        {
            return Err(error::wrong_region(region, &from.region));
        }
        let qualifier = match (parts.qualifier, qualifier) {
            (Some(derived), Some(given)) if derived != given => {
                return Err(error::qualifier_mismatch());
            }
            (derived, given) => given.or(derived),
        };
        if parts.name.len() > MAX_NAME {
            let constraint = format!("Member must have length less than or equal to {MAX_NAME}");
            return Err(error::constraint(parts.name, "functionName", &constraint));
        }
        Ok(Self {
            place: Place {
                account: parts.account.unwrap_or(from.account),
                region: from.region.clone(),
            },
            name: parts.name.to_owned(),
            qualifier: qualifier.map(Qualifier::parse),
        })
    }

    /// From the ARN of a function in any region, with its qualifier.
    pub fn of_arn(arn: &Arn) -> Option<Self> {
        let place = Place {
            account: arn.account_id()?,
            region: arn.region()?,
        };
        if arn.service != "lambda" {
            return None;
        }
        let mut parts = arn.resource.strip_prefix("function:")?.splitn(2, ':');
        Some(Self {
            place,
            name: parts.next()?.to_owned(),
            qualifier: parts.next().map(Qualifier::parse),
        })
    }

    /// The function, whatever was named of it.
    pub fn whole(&self) -> Self {
        Self {
            qualifier: None,
            ..self.clone()
        }
    }

    /// Without the qualifier.
    pub fn unqualified_arn(&self) -> Arn {
        self.place.function_arn(&self.name)
    }

    /// With the qualifier, if one was given.
    pub fn arn(&self) -> Arn {
        match &self.qualifier {
            Some(qualifier) => {
                let name = format!("{}:{}", self.name, qualifier.as_str());
                self.place.function_arn(&name)
            }
            None => self.unqualified_arn(),
        }
    }
}

impl Qualifier {
    pub fn parse(text: &str) -> Self {
        if text == "$LATEST" {
            Self::Latest
        } else if text == "$LATEST.PUBLISHED" || text.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Version(text.to_owned())
        } else {
            Self::Alias(text.to_owned())
        }
    }

    pub const fn as_str(&self) -> &str {
        match self {
            Self::Latest => "$LATEST",
            Self::Version(text) | Self::Alias(text) => text.as_str(),
        }
    }
}

/// The parts of the model's pattern, each taken as early as it fits.
struct Parts<'a> {
    region: Option<&'a str>,
    account: Option<AccountId>,
    name: &'a str,
    qualifier: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let mut rest: Vec<&str> = text.split(':').collect();
        if rest.len() > 3 && rest[0] == "arn" && rest[2] == "lambda" {
            rest.drain(..3);
        }
        let mut rest = rest.as_slice();
        let region = take(&mut rest, is_region);
        let account = take(&mut rest, |part| part.parse::<AccountId>().is_ok());
        take(&mut rest, |part| part == "function");
        Self {
            region,
            account: account.and_then(|text| text.parse().ok()),
            name: rest.first().copied().unwrap_or_default(),
            qualifier: rest.get(1).copied(),
        }
    }
}

/// Takes the first part if it fits and is not the last, which is the name.
fn take<'a>(rest: &mut &[&'a str], fits: impl Fn(&str) -> bool) -> Option<&'a str> {
    let (first, others) = rest.split_first()?;
    if others.is_empty() || !fits(first) {
        return None;
    }
    *rest = others;
    Some(first)
}

/// Such as `ap-northeast-1`: a name with hyphens that ends in one digit.
fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_area = parts.next().is_some_and(|area| matches!(area.len(), 2 | 4));
    let is_number = parts
        .next_back()
        .is_some_and(|number| number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit()));
    let words = parts
        .filter(|word| word.bytes().all(|b| b.is_ascii_lowercase()))
        .count();
    is_area && is_number && words > 0 && text.parse::<Region>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Place {
        Place {
            account: "123456789012".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
        }
    }

    fn parse(text: &str, qualifier: Option<&str>) -> Result<FunctionName, ServiceError> {
        FunctionName::parse(text, qualifier, &here())
    }

    #[test]
    fn every_form_names_the_same_function() {
        for form in [
            "hello",
            "function:hello",
            "123456789012:function:hello",
            "eu-west-1:123456789012:function:hello",
            "arn:aws:lambda:eu-west-1:123456789012:function:hello",
        ] {
            let name = parse(form, None).unwrap();
            assert_eq!(
                name.arn().to_string(),
                "arn:aws:lambda:eu-west-1:123456789012:function:hello",
                "{form}"
            );
            let qualified = parse(&format!("{form}:7"), None).unwrap();
            assert_eq!(
                qualified.qualifier,
                Some(Qualifier::Version("7".to_owned())),
                "{form}"
            );
            assert_eq!(qualified.name, "hello");
        }
    }

    #[test]
    fn a_name_may_look_like_another_part() {
        assert_eq!(parse("function", None).unwrap().name, "function");
        assert_eq!(parse("123456789012", None).unwrap().name, "123456789012");
        assert_eq!(parse("us-east-1", None).unwrap().name, "us-east-1");
    }

    #[test]
    fn the_version_published_last_is_a_version() {
        let name = parse("hello:$LATEST.PUBLISHED", Some("$LATEST.PUBLISHED")).unwrap();
        let version = Qualifier::Version("$LATEST.PUBLISHED".to_owned());
        assert_eq!(name.qualifier, Some(version));
    }

    #[test]
    fn both_qualifiers_must_agree() {
        assert!(parse("hello:$LATEST", Some("$LATEST")).is_ok());
        assert_eq!(
            parse("hello", Some("live")).unwrap().arn().resource,
            "function:hello:live"
        );
        let error = parse("hello:1", Some("2")).unwrap_err();
        assert_eq!(
            error.message,
            "The derived qualifier from the function name does not match the specified qualifier."
        );
    }

    #[test]
    fn another_region_is_out_of_reach() {
        let error = parse("arn:aws:lambda:us-east-1:123456789012:function:f", None).unwrap_err();
        assert_eq!(error.code, "ResourceNotFoundException");
        assert_eq!(
            error.message,
            "Functions from 'us-east-1' are not reachable in this region ('eu-west-1')"
        );
    }

    #[test]
    fn a_bare_name_has_at_most_64_characters() {
        assert!(parse(&"x".repeat(64), None).is_ok());
        let error = parse(&"x".repeat(65), None).unwrap_err();
        assert!(
            error.message.ends_with("length less than or equal to 64"),
            "{error}"
        );
    }
}
