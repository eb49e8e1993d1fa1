//! How groups are named and addressed.

use base::{AccountId, Arn, Region};

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
pub fn group_of_identifier(identifier: &str) -> Option<String> {
    if !identifier.starts_with("arn:") {
        return Some(identifier.to_owned());
    }
    let arn: Arn = identifier.parse().ok()?;
    let name = arn.resource.strip_prefix("log-group:")?;
    Some(name.strip_suffix(":*").unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_names_or_arns() {
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/f";
        for one in ["/aws/lambda/f", arn, &format!("{arn}:*")] {
            assert_eq!(
                group_of_identifier(one).as_deref(),
                Some("/aws/lambda/f"),
                "{one}"
            );
        }
        assert_eq!(group_of_identifier("arn:aws:s3:::bucket"), None);
    }
}
