//! The name of a durable execution:
//! `arn:aws:lambda:region:account:function:name:version/durable-execution/name/id`.

use std::fmt;

use base::Arn;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

use crate::domain::function_name::Place;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionArn {
    pub place: Place,
    pub function: String,
    pub version: String,
    pub name: String,
    pub id: String,
}

impl ExecutionArn {
    /// `None` for what is none, or has not been given out by this program.
    pub fn parse(text: &str) -> Option<Self> {
        let arn: Arn = text.parse().ok()?;
        let (function, execution) = arn.resource.split_once("/durable-execution/")?;
        let (function, version) = function.strip_prefix("function:")?.split_once(':')?;
        let (name, id) = execution.split_once('/')?;
        let parsed = Self {
            place: Place {
                account: arn.account_id()?,
                region: arn.region()?,
            },
            function: function.to_owned(),
            version: version.to_owned(),
            name: name.to_owned(),
            id: id.to_owned(),
        };
        // One text a resource: no two ARNs are the same execution's.
        (arn.service == "lambda" && parsed.to_string() == text).then_some(parsed)
    }

    pub fn uuid(&self) -> Option<Uuid> {
        self.id.parse().ok()
    }
}

impl fmt::Display for ExecutionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let qualified = format!("{}:{}", self.function, self.version);
        let function = self.place.function_arn(&qualified);
        write!(f, "{function}/durable-execution/{}/{}", self.name, self.id)
    }
}

impl Serialize for ExecutionArn {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExecutionArn {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not the ARN of a durable execution"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIVEN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:order:$LATEST\
                         /durable-execution/order-1/5e7a0a6e-2a39-4a8a-9a32-6c1e4d1f1f10";

    #[test]
    fn what_is_given_out_is_read_again() {
        let arn = ExecutionArn::parse(GIVEN).unwrap();
        assert_eq!(
            (arn.function.as_str(), arn.version.as_str()),
            ("order", "$LATEST")
        );
        assert_eq!(arn.to_string(), GIVEN);
        assert!(arn.uuid().is_some());
        for other in [
            "arn:aws:lambda:eu-west-1:123456789012:function:order:1",
            "arn:aws:sqs:eu-west-1:123456789012:function:order:1/durable-execution/a/b",
            "arn:aws:lambda:eu-west-1:123456789012:function:order/durable-execution/a/b",
            "",
        ] {
            assert_eq!(ExecutionArn::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(arn:aws:lambda:eu-west-1:123456789012:)?[a-z:/$-]{0,80}") {
            if let Some(arn) = ExecutionArn::parse(&text) {
                prop_assert_eq!(arn.to_string(), text);
            }
        }
    }
}
