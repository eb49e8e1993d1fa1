//! The resources that Lambda tells of invocations, each kind by its ARN.

use base::Arn;

/// The kinds of destinations and dead-letter targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Queue,
    Topic,
    Function,
    Bucket,
    EventBus,
}

impl Kind {
    /// `None` for the ARN of anything else.
    pub fn of(arn: &Arn) -> Option<Self> {
        let resource = arn.resource.as_str();
        match arn.service.as_str() {
            "sqs" if !resource.is_empty() => Some(Self::Queue),
            "sns" if !resource.is_empty() => Some(Self::Topic),
            "lambda" if resource.starts_with("function:") => Some(Self::Function),
            "s3" if !resource.is_empty() && !resource.contains('/') => Some(Self::Bucket),
            "events" if resource.starts_with("event-bus/") => Some(Self::EventBus),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_what_kind_of_target_it_is() {
        let of = |text: &str| Kind::of(&text.parse().unwrap());
        let here = "us-east-1:000000000000";
        assert_eq!(of(&format!("arn:aws:sqs:{here}:q")), Some(Kind::Queue));
        assert_eq!(of(&format!("arn:aws:sns:{here}:t")), Some(Kind::Topic));
        assert_eq!(
            of(&format!("arn:aws:lambda:{here}:function:f:live")),
            Some(Kind::Function)
        );
        assert_eq!(of("arn:aws:s3:::bucket"), Some(Kind::Bucket));
        assert_eq!(
            of(&format!("arn:aws:events:{here}:event-bus/default")),
            Some(Kind::EventBus)
        );
        for other in [
            format!("arn:aws:lambda:{here}:layer:l"),
            "arn:aws:s3:::bucket/key".to_owned(),
            format!("arn:aws:events:{here}:rule/r"),
            format!("arn:aws:dynamodb:{here}:table/t"),
        ] {
            assert_eq!(of(&other), None, "{other}");
        }
    }
}
