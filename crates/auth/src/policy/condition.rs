//! `Condition`: what must also be true of the request.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::net::IpAddr;

use base::Timestamp;

use super::Context;
use super::pattern::{Token, arn_matches, matches, tokens};

/// One key of one operator, with the values any of which will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    test: Test,
    /// `…IfExists`: a request without the key passes.
    if_exists: bool,
    set: Set,
    key: String,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// The key has one value.
    One,
    ForAllValues,
    ForAnyValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Test {
    Null,
    /// `negated`: passes when no value fits.
    Fits {
        how: How,
        negated: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Equal { ignore_case: bool },
    Like,
    Arn,
    Bool,
    Ip,
    Number(Order),
    Date(Order),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// `None` if there is no such operator.
    pub(super) fn new(operator: &str, key: &str, values: Vec<String>) -> Option<Self> {
        let (set, name) = match operator.split_once(':') {
            Some(("ForAllValues", name)) => (Set::ForAllValues, name),
            Some(("ForAnyValue", name)) => (Set::ForAnyValue, name),
            Some(_) => return None,
            None => (Set::One, operator),
        };
        let (name, if_exists) = name
            .strip_suffix("IfExists")
            .map_or((name, false), |name| (name, true));
        let test = test_of(name)?;
        if test == Test::Null && (if_exists || set != Set::One) {
            return None;
        }
        Some(Self {
            test,
            if_exists,
            set,
            key: key.to_owned(),
            values,
        })
    }

    pub(super) fn holds(&self, context: &Context, has_variables: bool) -> bool {
        let present = context.values(&self.key).unwrap_or(&[]);
        let Test::Fits { how, negated } = self.test else {
            let must_be_absent = self.values.iter().any(|value| value == "true");
            return present.is_empty() == must_be_absent;
        };
        if present.is_empty() {
            return match self.set {
                Set::One => self.if_exists || negated,
                Set::ForAllValues => true,
                Set::ForAnyValue => self.if_exists,
            };
        }
        // A value whose variable is missing fits nothing.
        let wanted: Vec<Vec<Token>> = self
            .values
            .iter()
            .filter_map(|value| tokens(value, context, has_variables))
            .collect();
        let passes =
            |actual: &String| wanted.iter().any(|wanted| fits(how, wanted, actual)) != negated;
        match self.set {
            Set::One if negated => present.iter().all(passes),
            Set::One | Set::ForAnyValue => present.iter().any(passes),
            Set::ForAllValues => present.iter().all(passes),
        }
    }
}

fn test_of(name: &str) -> Option<Test> {
    let (how, negated) = match name {
        "Null" => return Some(Test::Null),
        "StringEquals" | "BinaryEquals" => (How::Equal { ignore_case: false }, false),
        "StringNotEquals" => (How::Equal { ignore_case: false }, true),
        "StringEqualsIgnoreCase" => (How::Equal { ignore_case: true }, false),
        "StringNotEqualsIgnoreCase" => (How::Equal { ignore_case: true }, true),
        "StringLike" => (How::Like, false),
        "StringNotLike" => (How::Like, true),
        "ArnEquals" | "ArnLike" => (How::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (How::Arn, true),
        "Bool" => (How::Bool, false),
        "IpAddress" => (How::Ip, false),
        "NotIpAddress" => (How::Ip, true),
        "NumericNotEquals" => (How::Number(Order::Equal), true),
        "DateNotEquals" => (How::Date(Order::Equal), true),
        _ => {
            let how = name
                .strip_prefix("Numeric")
                .and_then(order)
                .map(How::Number);
            let how = how.or_else(|| name.strip_prefix("Date").and_then(order).map(How::Date));
            (how?, false)
        }
    };
    Some(Test::Fits { how, negated })
}

fn order(name: &str) -> Option<Order> {
    Some(match name {
        "Equals" => Order::Equal,
        "LessThan" => Order::Less,
        "LessThanEquals" => Order::LessOrEqual,
        "GreaterThan" => Order::Greater,
        "GreaterThanEquals" => Order::GreaterOrEqual,
        _ => return None,
    })
}

fn fits(how: How, wanted: &[Token], actual: &str) -> bool {
    match how {
        How::Like => matches(wanted, actual, false),
        How::Arn => arn_matches(wanted, actual),
        How::Equal { ignore_case: false } => literal(wanted) == actual,
        How::Equal { ignore_case: true } => literal(wanted).to_lowercase() == actual.to_lowercase(),
        How::Bool => literal(wanted).eq_ignore_ascii_case(actual),
        How::Ip => in_network(&literal(wanted), actual),
        How::Number(order) => compare(order, number(actual), number(&literal(wanted))),
        How::Date(order) => compare(order, date(actual), date(&literal(wanted))),
    }
}

/// The text of a value for the operators that know no wildcards.
fn literal(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map(|token| match token {
            Token::Literal(c) => *c,
            Token::One => '?',
            Token::Any => '*',
        })
        .collect()
}

fn compare<T: PartialOrd>(order: Order, actual: Option<T>, wanted: Option<T>) -> bool {
    let (Some(actual), Some(wanted)) = (actual, wanted) else {
        return false;
    };
    match order {
        Order::Equal => actual == wanted,
        Order::Less => actual < wanted,
        Order::LessOrEqual => actual <= wanted,
        Order::Greater => actual > wanted,
        Order::GreaterOrEqual => actual >= wanted,
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim()
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

/// ISO 8601, a bare date, or epoch seconds.
fn date(text: &str) -> Option<Timestamp> {
    Timestamp::parse_iso8601(text)
        .or_else(|| Timestamp::parse_iso8601(&format!("{text}T00:00:00Z")))
        .or_else(|| number(text).map(Timestamp::from_seconds_f64))
}

/// Whether an address lies in a network such as `203.0.113.0/24`; without a length, one address.
fn in_network(network: &str, address: &str) -> bool {
    let (base, length) = match network.split_once('/') {
        Some((base, length)) => (base, length.parse::<u32>().ok()),
        None => (network, Some(128)),
    };
    let (Ok(base), Ok(address), Some(length)) =
        (base.parse::<IpAddr>(), address.parse::<IpAddr>(), length)
    else {
        return false;
    };
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            let mask = u32::MAX.checked_shl(32 - length.min(32)).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            let mask = u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0);
            base.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}
