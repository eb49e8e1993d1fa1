//! One condition on one value of an event.

use std::net::IpAddr;

use crate::wildcard::Wildcard;

/// A value of an event that is not an object or an array.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaf<'a> {
    Null,
    Bool(bool),
    Number(&'a serde_json::Number),
    Text(&'a str),
}

/// One element of the array that a pattern gives for a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    Null,
    Bool(bool),
    Text(String),
    Number(f64),
    /// As text, in lower case.
    IgnoreCase(String),
    Prefix(String),
    PrefixIgnoreCase(String),
    Suffix(String),
    SuffixIgnoreCase(String),
    Wildcard(Wildcard),
    Range(Range),
    Network(Network),
    /// There is a value.
    Exists,
    /// There is none.
    Absent,
    AnythingButNumbers(Vec<f64>),
    /// None of these matches.
    AnythingBut(Vec<Matcher>),
}

/// Numbers between two bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    pub bottom: f64,
    pub open_bottom: bool,
    pub top: f64,
    pub open_top: bool,
}

/// An IP network, or one address.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// First and last address. Of a network whose address has bits set beyond its mask the first
    /// is that address, as in AWS's own engine.
    pub first: IpAddr,
    pub last: IpAddr,
}

impl Matcher {
    pub fn matches(&self, leaf: Leaf<'_>) -> bool {
        match (self, leaf) {
            (Self::Exists, _) | (Self::Null, Leaf::Null) => true,
            (Self::Bool(wanted), Leaf::Bool(found)) => *wanted == found,
            (Self::Number(wanted), Leaf::Number(found)) => found.as_f64() == Some(*wanted),
            (Self::Range(range), Leaf::Number(found)) => {
                found.as_f64().is_some_and(|found| range.contains(found))
            }
            (Self::AnythingButNumbers(refused), Leaf::Number(found)) => found
                .as_f64()
                .is_some_and(|found| !refused.contains(&found)),
            (Self::AnythingBut(refused), leaf) => !refused.iter().any(|one| one.matches(leaf)),
            (text_matcher, Leaf::Text(found)) => text_matcher.matches_text(found),
            _ => false,
        }
    }

    fn matches_text(&self, found: &str) -> bool {
        match self {
            Self::Text(wanted) => wanted == found,
            Self::IgnoreCase(wanted) => folded(found) == *wanted,
            Self::Prefix(start) => found.starts_with(start.as_str()),
            Self::PrefixIgnoreCase(start) => folded(found).starts_with(start.as_str()),
            Self::Suffix(end) => found.ends_with(end.as_str()),
            Self::SuffixIgnoreCase(end) => folded(found).ends_with(end.as_str()),
            Self::Wildcard(wildcard) => wildcard.matches(found),
            Self::Network(network) => network.contains(found),
            _ => false,
        }
    }
}

/// For comparing without regard to case.
pub fn folded(text: &str) -> String {
    text.to_lowercase()
}

impl Range {
    fn contains(&self, number: f64) -> bool {
        let above = if self.open_bottom {
            number > self.bottom
        } else {
            number >= self.bottom
        };
        let below = if self.open_top {
            number < self.top
        } else {
            number <= self.top
        };
        above && below
    }
}

impl Network {
    /// One address.
    pub fn single(address: IpAddr) -> Self {
        Self {
            first: address,
            last: address,
        }
    }

    /// # Errors
    /// In AWS's words, when it is not a network in CIDR notation.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let (Some(address), Some(mask), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err("Malformed CIDR, one '/' required".to_owned());
        };
        let Ok(mask) = mask.parse::<i32>() else {
            return Err("Malformed CIDR, mask bits must be an integer".to_owned());
        };
        let Ok(mask) = u32::try_from(mask) else {
            return Err("Malformed CIDR, mask bits must not be negative".to_owned());
        };
        let Ok(first) = address.parse::<IpAddr>() else {
            return Err(format!("Nonstandard IP address: {address}"));
        };
        let last = match first {
            IpAddr::V4(_) if mask > 31 => return Err("IPv4 mask bits must be < 32".to_owned()),
            IpAddr::V6(_) if mask > 127 => return Err("IPv6 mask bits must be < 128".to_owned()),
            IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() | (u32::MAX >> mask)).into()),
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() | (u128::MAX >> mask)).into()),
        };
        Ok(Self { first, last })
    }

    fn contains(&self, text: &str) -> bool {
        text.parse::<IpAddr>().is_ok_and(|address| {
            address.is_ipv4() == self.first.is_ipv4() && (self.first..=self.last).contains(&address)
        })
    }
}
