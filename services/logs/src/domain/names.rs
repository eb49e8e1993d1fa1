//! How groups are named and addressed.

use base::{AccountId, Arn, Region};
use service::ServiceError;

use crate::error;

/// Beyond the model's pattern: names that begin with `aws/` are AWS's own.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>
pub fn check_new_group(name: &str) -> Result<(), ServiceError> {
    if name.starts_with("aws/") {
        return Err(error::invalid_parameter(
            "Log groups starting with AWS/ are reserved for AWS.",
        ));
    }
    Ok(())
}

/// `arn:aws:logs:REGION:ACCOUNT:log-group:NAME`; the older form ends in `:*`.
pub fn group_arn(region: &Region, account: AccountId, name: &str) -> Arn {
    Arn::regional("logs", region, account, format!("log-group:{name}"))
}

/// `arn:aws:logs:REGION:ACCOUNT:log-group:GROUP:log-stream:NAME`.
pub fn stream_arn(region: &Region, account: AccountId, group: &str, name: &str) -> Arn {
    Arn::regional(
        "logs",
        region,
        account,
        format!("log-group:{group}:log-stream:{name}"),
    )
}

/// The group's name out of a `logGroupIdentifier`: a name, or an ARN with or without `:*`.
///
/// # Errors
/// An ARN that is no group's; one of another region or account, whose groups are not to be had here.
pub fn group_of_identifier(
    identifier: &str,
    region: &Region,
    account: AccountId,
) -> Result<String, ServiceError> {
    if !identifier.starts_with("arn:") {
        return Ok(identifier.to_owned());
    }
    let arn = identifier.parse::<Arn>().ok();
    let group = arn.as_ref().and_then(|arn| {
        let name = arn.resource.strip_prefix("log-group:")?;
        (arn.service == "logs").then(|| name.strip_suffix(":*").unwrap_or(name))
    });
    let (Some(arn), Some(name)) = (&arn, group) else {
        return Err(error::invalid_parameter(format!(
            "{identifier} is not a valid log group identifier"
        )));
    };
    if arn.region().as_ref() != Some(region) || arn.account_id() != Some(account) {
        return Err(error::group_not_found());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_not_begin_as_those_of_aws_do() {
        assert!(check_new_group("aws/lambda/f").is_err());
        assert!(check_new_group("/aws/lambda/f").is_ok());
        assert!(check_new_group("aws-f").is_ok());
    }

    #[test]
    fn identifiers_are_names_or_arns() {
        let account = "123456789012".parse().unwrap();
        let group = |identifier: &str| {
            group_of_identifier(identifier, &Region::us_east_1(), account)
                .map_err(|error| error.code.into_owned())
        };
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/f";
        for one in ["/aws/lambda/f", arn, &format!("{arn}:*")] {
            assert_eq!(group(one).as_deref(), Ok("/aws/lambda/f"), "{one}");
        }
        for elsewhere in [
            "arn:aws:logs:eu-west-1:123456789012:log-group:g",
            "arn:aws:logs:us-east-1:210987654321:log-group:g",
        ] {
            let refused = group(elsewhere).unwrap_err();
            assert_eq!(refused, "ResourceNotFoundException", "{elsewhere}");
        }
        let refused = group("arn:aws:s3:::bucket").unwrap_err();
        assert_eq!(refused, "InvalidParameterException");
    }
}
