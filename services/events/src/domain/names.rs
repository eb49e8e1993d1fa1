//! Names and ARNs of buses, rules and archives.

use base::Arn;
use service::{RequestContext, ServiceError};

use crate::error;
use crate::records::{DEFAULT_BUS, Named};

pub fn own(context: &RequestContext, name: &str) -> Named {
    Named {
        account: context.account,
        region: context.region.clone(),
        name: name.to_owned(),
    }
}

/// The bus that a name or an ARN means; none means the default one.
pub fn bus(context: &RequestContext, text: Option<&str>) -> Result<Named, ServiceError> {
    match text {
        None | Some("") => Ok(own(context, DEFAULT_BUS)),
        Some(arn) if arn.starts_with("arn:") => of_arn(arn, "event-bus").ok_or_else(|| {
            error::validation(format!(
                "Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."
            ))
        }),
        Some(name) => Ok(own(context, name)),
    }
}

/// The name in an ARN of this kind.
pub fn of_arn(text: &str, kind: &str) -> Option<Named> {
    let arn: Arn = text
        .parse()
        .ok()
        .filter(|arn: &Arn| arn.service == "events")?;
    let name = arn.resource.strip_prefix(kind)?.strip_prefix('/')?;
    Some(Named {
        account: arn.account_id()?,
        region: arn.region()?,
        name: name.to_owned(),
    })
}

/// The name in an ARN that ends in an id.
pub fn of_arn_with_id(text: &str, kind: &str) -> Option<Named> {
    let mut found = of_arn(text, kind)?;
    found.name = found.name.split_once('/')?.0.to_owned();
    Some(found)
}

/// The bus and the rule in a rule's ARN.
pub fn rule_of_arn(text: &str) -> Option<(Named, String)> {
    let mut found = of_arn(text, "rule")?;
    let (bus, rule) = match found.name.split_once('/') {
        Some((bus, rule)) => (bus.to_owned(), rule.to_owned()),
        None => (DEFAULT_BUS.to_owned(), found.name.clone()),
    };
    found.name = bus;
    Some((found, rule))
}
