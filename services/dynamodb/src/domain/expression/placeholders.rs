//! ExpressionAttributeNames and ExpressionAttributeValues: every one must be used.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::value::Attribute;
use crate::domain::{Invalid, convert};
use crate::generated::AttributeValue;

#[derive(Debug, Default)]
pub struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, Attribute>,
    used: BTreeSet<String>,
}

impl Placeholders {
    pub fn new(
        names: Option<BTreeMap<String, String>>,
        values: Option<BTreeMap<String, AttributeValue>>,
    ) -> Result<Self, Invalid> {
        if let Some(names) = &names {
            check_keys("ExpressionAttributeNames", '#', names.keys())?;
            if let Some((key, _)) = names.iter().find(|(_, name)| name.is_empty()) {
                return Err(Invalid::new(format!(
                    "ExpressionAttributeNames contains invalid value: Empty attribute name for key \
                     {key}"
                )));
            }
        }
        if let Some(values) = &values {
            check_keys("ExpressionAttributeValues", ':', values.keys())?;
        }
        let values = values.unwrap_or_default().into_iter().map(|(key, value)| {
            let value = convert::attribute(value).map_err(|invalid| {
                let begin = "ExpressionAttributeValues contains invalid value: ";
                invalid.within(begin, &format!(" for key {key}"))
            })?;
            Ok((key, value))
        });
        Ok(Self {
            values: values.collect::<Result<_, Invalid>>()?,
            names: names.unwrap_or_default(),
            used: BTreeSet::new(),
        })
    }

    pub fn name(&mut self, key: &str) -> Option<String> {
        let name = self.names.get(key)?;
        self.used.insert(key.to_owned());
        Some(name.clone())
    }

    pub fn value(&mut self, key: &str) -> Option<Attribute> {
        let value = self.values.get(key)?;
        self.used.insert(key.to_owned());
        Some(value.clone())
    }

    /// Once every expression has been read.
    pub fn check_all_used(&self) -> Result<(), Invalid> {
        unused("ExpressionAttributeNames", self.names.keys(), &self.used)?;
        unused("ExpressionAttributeValues", self.values.keys(), &self.used)
    }
}

fn check_keys<'a>(
    parameter: &str,
    sign: char,
    mut keys: impl ExactSizeIterator<Item = &'a String>,
) -> Result<(), Invalid> {
    if keys.len() == 0 {
        return Err(Invalid::new(format!("{parameter} must not be empty")));
    }
    let is_key = |key: &str| {
        key.strip_prefix(sign).is_some_and(|name| {
            let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            !name.is_empty() && name.bytes().all(part)
        })
    };
    match keys.find(|key| !is_key(key)) {
        Some(key) => Err(Invalid::new(format!(
            "{parameter} contains invalid key: Syntax error; key: \"{key}\""
        ))),
        None => Ok(()),
    }
}

fn unused<'a>(
    parameter: &str,
    keys: impl Iterator<Item = &'a String>,
    used: &BTreeSet<String>,
) -> Result<(), Invalid> {
    let unused: Vec<&str> = keys
        .filter(|key| !used.contains(*key))
        .map(String::as_str)
        .collect();
    if unused.is_empty() {
        return Ok(());
    }
    Err(Invalid::new(format!(
        "Value provided in {parameter} unused in expressions: keys: {{{}}}",
        unused.join(", ")
    )))
}
