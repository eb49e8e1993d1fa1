//! Message attributes: names, types, values, and which of them a receiver asked for.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Fault, body};

/// By name, which is also the order that digests take them in.
pub type MessageAttributes = BTreeMap<String, AttributeValue>;

/// Most attributes a message may have.
pub const MAX_ATTRIBUTES: usize = 10;
const MAX_LENGTH: usize = 256;
const MAX_DIGITS: usize = 38;

/// A checked attribute: its type with any custom label (`Number.int`), and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeValue {
    #[serde(rename = "t")]
    pub data_type: String,
    #[serde(flatten)]
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    #[serde(rename = "s")]
    Text(String),
    #[serde(rename = "b")]
    Binary(Base64),
}

/// Bytes that JSON records hold as base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64(pub Bytes);

impl AttributeValue {
    /// Checks one attribute as a request carries it.
    pub fn check(
        name: &str,
        data_type: &str,
        text: Option<String>,
        binary: Option<Bytes>,
    ) -> Result<Self, Fault> {
        check_name(name)?;
        check_type(name, data_type)?;
        let content = if logical_type(data_type) == "Binary" {
            binary
                .filter(|bytes| !bytes.is_empty())
                .map(|bytes| Content::Binary(Base64(bytes)))
        } else {
            text.filter(|text| !text.is_empty()).map(Content::Text)
        };
        let content = content.ok_or_else(|| {
            Fault::Parameter(format!(
                "Message (user) attribute '{name}' must contain a non-empty value of type '{}'.",
                if logical_type(data_type) == "Binary" {
                    "Binary"
                } else {
                    "String"
                }
            ))
        })?;
        if let Content::Text(text) = &content {
            check_text(name, data_type, text)?;
        }
        Ok(Self {
            data_type: data_type.to_owned(),
            content,
        })
    }

    /// Bytes that the attribute adds to the message, its name included.
    pub fn bytes(&self, name: &str) -> usize {
        let value = match &self.content {
            Content::Text(text) => text.len(),
            Content::Binary(Base64(bytes)) => bytes.len(),
        };
        name.len() + self.data_type.len() + value
    }
}

/// Checks how many attributes a message has.
pub fn check_count(count: usize) -> Result<(), Fault> {
    if count <= MAX_ATTRIBUTES {
        return Ok(());
    }
    Err(Fault::Parameter(format!(
        "Number of message attributes [{count}] exceeds the allowed maximum [{MAX_ATTRIBUTES}]."
    )))
}

fn check_name(name: &str) -> Result<(), Fault> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let lower = name.to_ascii_lowercase();
    let problem = if name.is_empty() || name.len() > MAX_LENGTH {
        "Length of message attribute name must be between 1 and 256 bytes."
    } else if lower.starts_with("aws.") || lower.starts_with("amazon.") {
        "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings \
         are reserved for internal use."
    } else if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        "Message attribute name can not begin or end with a period, or have periods in succession."
    } else if !name.bytes().all(legal) {
        "Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) \
         characters."
    } else {
        return Ok(());
    };
    Err(Fault::Parameter(format!(
        "The message attribute name '{name}' is invalid. {problem}"
    )))
}

fn check_type(name: &str, data_type: &str) -> Result<(), Fault> {
    let problem = if data_type.is_empty() {
        format!("The message (user) attribute '{name}' must contain a non-empty attribute type.")
    } else if !matches!(logical_type(data_type), "String" | "Number" | "Binary") {
        format!(
            "The type of message (user) attribute '{name}' is invalid. You must use only the \
             following supported type prefixes: Binary, Number, String."
        )
    } else if data_type.len() > MAX_LENGTH || !data_type.chars().all(body::is_allowed) {
        format!("The type of message (user) attribute '{name}' is too long or malformed.")
    } else {
        return Ok(());
    };
    Err(Fault::Parameter(problem))
}

fn check_text(name: &str, data_type: &str, text: &str) -> Result<(), Fault> {
    if logical_type(data_type) == "Number" && !is_number(text) {
        return Err(Fault::Parameter(format!(
            "Can't cast the value of message (user) attribute '{name}' to a number."
        )));
    }
    if text.chars().all(body::is_allowed) {
        return Ok(());
    }
    Err(Fault::MessageContents(format!(
        "Message (user) attribute '{name}' contains characters outside the allowed set."
    )))
}

/// The type without its custom label.
fn logical_type(data_type: &str) -> &str {
    data_type.split('.').next().unwrap_or(data_type)
}

/// A decimal number, with fraction and exponent if need be: of up to 38 digits, and between
/// -10^128 and 10^126.
fn is_number(text: &str) -> bool {
    read_number(text.trim()).is_some()
}

fn read_number(text: &str) -> Option<()> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.len() > MAX_DIGITS {
        return None;
    }
    // The power of ten of the first digit.
    let magnitude = i32::try_from(whole.len()).ok()? - i32::try_from(leading).ok()? - 1;
    let magnitude = magnitude.checked_add(exponent)?;
    let limit = if negative { 128 } else { 126 };
    let fits = magnitude < limit || (magnitude == limit && significant == "1");
    (significant.is_empty() || fits).then_some(())
}

/// The attributes a ReceiveMessage asks for by name, by prefix (`bar.*`) or all (`All`, `.*`).
pub fn select(attributes: &MessageAttributes, wanted: &[String]) -> MessageAttributes {
    let is_wanted = |name: &str| {
        wanted.iter().any(|want| match want.as_str() {
            "All" => true,
            pattern => match pattern.strip_suffix(".*") {
                Some(prefix) => name.starts_with(prefix),
                None => pattern == name,
            },
        })
    };
    attributes
        .iter()
        .filter(|(name, _)| is_wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD
            .decode(text)
            .map(|bytes| Self(bytes.into()))
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, data_type: &str, value: &str) -> Result<AttributeValue, Fault> {
        AttributeValue::check(name, data_type, Some(value.to_owned()), None)
    }

    #[test]
    fn names() {
        for good in ["a", "a.b-c_d9", "awsome", &"n".repeat(256)] {
            assert!(text(good, "String", "x").is_ok(), "{good}");
        }
        for bad in [
            "",
            ".a",
            "a.",
            "a..b",
            "AWS.x",
            "amazon.x",
            "a b",
            "é",
            &"n".repeat(257),
        ] {
            assert!(text(bad, "String", "x").is_err(), "{bad}");
        }
    }

    #[test]
    fn types_and_values() {
        assert!(text("n", "Number.int", "-12.5e3").is_ok());
        let longest = "9".repeat(38);
        for good in [
            "0",
            "+.5",
            "1e126",
            "-1e128",
            "0.000e999",
            &longest,
            "-0012.340",
        ] {
            assert!(text("n", "Number", good).is_ok(), "{good}");
        }
        for bad in [
            "1.1e126",
            "-2e128",
            &format!("{longest}1"),
            "1e",
            ".",
            "1e99999999999",
            "inf",
        ] {
            assert!(text("n", "Number", bad).is_err(), "{bad}");
        }
        for (data_type, value) in [
            ("Number", "twelve"),
            ("Number", "NaN"),
            ("Number", ""),
            ("string", "x"),
            ("", "x"),
        ] {
            assert!(text("n", data_type, value).is_err(), "{data_type} {value}");
        }
        assert_eq!(
            text("ErrorDetails", "String", "").unwrap_err().to_string(),
            "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type \
             'String'."
        );
        let binary = AttributeValue::check("b", "Binary.png", None, Some(Bytes::from_static(b"x")));
        assert_eq!(binary.unwrap().bytes("b"), 1 + 10 + 1);
        assert!(AttributeValue::check("b", "Binary", Some("x".into()), None).is_err());
    }

    #[test]
    fn receivers_choose_by_name_prefix_or_all() {
        let attributes: MessageAttributes = ["General", "Hello", "Help.Me"]
            .into_iter()
            .map(|name| (name.to_owned(), text(name, "String", "x").unwrap()))
            .collect();
        for (wanted, expected) in [
            (&["All"][..], 3),
            (&[".*"], 3),
            (&["Hel.*"], 2),
            (&["Hello", "None"], 1),
            (&["AWS.", "..foo"], 0),
            (&[], 0),
        ] {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            assert_eq!(select(&attributes, &wanted).len(), expected, "{wanted:?}");
        }
    }

    #[test]
    fn stored_form_reads_back() {
        let binary =
            AttributeValue::check("b", "Binary", None, Some(Bytes::from_static(b"\0\xff")));
        for value in [binary.unwrap(), text("t", "String.x", "日本").unwrap()] {
            let stored = serde_json::to_string(&value).unwrap();
            assert_eq!(
                serde_json::from_str::<AttributeValue>(&stored).unwrap(),
                value
            );
        }
    }
}
