//! The API's attribute values to ours, refusing what is none, and back.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::Invalid;
use super::number::Number;
use super::value::{Attribute, Item};
use crate::generated::AttributeValue;

/// Lists and maps may lie this deep within each other.
const DEEPEST: usize = 32;

pub fn item(given: BTreeMap<String, AttributeValue>) -> Result<Item, Invalid> {
    items_at(given, 0)
}

pub fn attribute(given: AttributeValue) -> Result<Attribute, Invalid> {
    attribute_at(given, 0)
}

fn items_at(given: BTreeMap<String, AttributeValue>, depth: usize) -> Result<Item, Invalid> {
    given
        .into_iter()
        .map(|(name, value)| {
            if name.is_empty() {
                return Err(Invalid::new("Empty attribute name"));
            }
            Ok((name, attribute_at(value, depth)?))
        })
        .collect()
}

fn attribute_at(given: AttributeValue, depth: usize) -> Result<Attribute, Invalid> {
    if depth > DEEPEST {
        return Err(Invalid::new(
            "Nesting Levels have exceeded supported limits",
        ));
    }
    let AttributeValue {
        s,
        n,
        b,
        ss,
        ns,
        bs,
        m,
        l,
        null,
        bool,
    } = given;
    let mut found: Vec<Attribute> = Vec::with_capacity(1);
    found.extend(s.map(Attribute::S));
    if let Some(text) = n {
        found.push(Attribute::N(Number::parse(&text)?));
    }
    found.extend(b.map(Attribute::B));
    if let Some(texts) = ss {
        found.push(Attribute::Ss(string_set(&texts)?));
    }
    if let Some(texts) = ns {
        found.push(Attribute::Ns(number_set(&texts)?));
    }
    if let Some(binaries) = bs {
        found.push(Attribute::Bs(binary_set(&binaries)?));
    }
    if let Some(members) = m {
        found.push(Attribute::M(items_at(members, depth + 1)?));
    }
    if let Some(items) = l {
        let items = items.into_iter().map(|item| attribute_at(item, depth + 1));
        found.push(Attribute::L(items.collect::<Result<_, _>>()?));
    }
    match null {
        Some(true) => found.push(Attribute::Null),
        Some(false) => {
            return Err(Invalid::parameter(
                "Null attribute value types must have the value of true",
            ));
        }
        None => {}
    }
    found.extend(bool.map(Attribute::Bool));
    if found.len() > 1 {
        return Err(Invalid::new(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of \
             the supported datatypes",
        ));
    }
    found.pop().ok_or_else(|| {
        Invalid::new(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        )
    })
}

fn string_set(texts: &[String]) -> Result<BTreeSet<String>, Invalid> {
    if texts.is_empty() {
        return Err(Invalid::empty_set("string"));
    }
    let count = texts.len();
    let shown = || texts.join(", ");
    let set: BTreeSet<String> = texts.iter().cloned().collect();
    if set.len() < count {
        return Err(Invalid::parameter(format!(
            "Input collection [{}] contains duplicates.",
            shown()
        )));
    }
    Ok(set)
}

fn number_set(texts: &[String]) -> Result<BTreeSet<Number>, Invalid> {
    if texts.is_empty() {
        return Err(Invalid::empty_set("number"));
    }
    let set = texts
        .iter()
        .map(|text| Number::parse(text))
        .collect::<Result<BTreeSet<_>, _>>()?;
    if set.len() < texts.len() {
        return Err(Invalid::new("Input collection contains duplicates"));
    }
    Ok(set)
}

fn binary_set(binaries: &[Bytes]) -> Result<BTreeSet<Bytes>, Invalid> {
    if binaries.is_empty() {
        return Err(Invalid::parameter("Binary sets should not be empty"));
    }
    let count = binaries.len();
    let set: BTreeSet<Bytes> = binaries.iter().cloned().collect();
    if set.len() < count {
        let shown: Vec<_> = binaries.iter().map(|one| STANDARD.encode(one)).collect();
        return Err(Invalid::parameter(format!(
            "Input collection [{}]of type BS contains duplicates.",
            shown.join(", ")
        )));
    }
    Ok(set)
}

pub fn to_api(item: Item) -> BTreeMap<String, AttributeValue> {
    item.into_iter()
        .map(|(name, value)| (name, value_to_api(value)))
        .collect()
}

pub fn value_to_api(value: Attribute) -> AttributeValue {
    let mut api = AttributeValue::default();
    match value {
        Attribute::S(text) => api.s = Some(text),
        Attribute::N(number) => api.n = Some(number.to_string()),
        Attribute::B(bytes) => api.b = Some(bytes),
        Attribute::Bool(truth) => api.bool = Some(truth),
        Attribute::Null => api.null = Some(true),
        Attribute::L(items) => api.l = Some(items.into_iter().map(value_to_api).collect()),
        Attribute::M(members) => api.m = Some(to_api(members)),
        Attribute::Ss(set) => api.ss = Some(set.into_iter().collect()),
        Attribute::Ns(set) => api.ns = Some(set.iter().map(ToString::to_string).collect()),
        Attribute::Bs(set) => api.bs = Some(set.into_iter().collect()),
    }
    api
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(given: AttributeValue) -> String {
        attribute(given).expect_err("refused").message
    }

    #[test]
    fn a_value_has_exactly_one_type() {
        let of = |f: fn(&mut AttributeValue)| {
            let mut value = AttributeValue::default();
            f(&mut value);
            value
        };
        assert!(refused(of(|_| {})).starts_with("Supplied AttributeValue is empty"));
        let both = of(|value| (value.s, value.bool) = (Some("a".into()), Some(true)));
        assert!(
            refused(both).starts_with("Supplied AttributeValue has more than one datatypes set")
        );
        assert_eq!(
            refused(of(|value| value.null = Some(false))),
            "One or more parameter values were invalid: Null attribute value types must have the value of true"
        );
        assert_eq!(
            refused(of(|value| value.ss = Some(vec!["a".into(), "a".into()]))),
            "One or more parameter values were invalid: Input collection [a, a] contains duplicates."
        );
        assert_eq!(
            refused(of(|value| value.ns = Some(vec!["1".into(), "1.0".into()]))),
            "Input collection contains duplicates"
        );
        let (b, a) = (Bytes::from_static(b"b"), Bytes::from_static(b"b"));
        let mut twice = AttributeValue {
            bs: Some(vec![a, b]),
            ..AttributeValue::default()
        };
        assert_eq!(
            refused(twice.clone()),
            "One or more parameter values were invalid: Input collection [Yg==, Yg==]of type BS contains duplicates."
        );
        twice.bs = Some(Vec::new());
        assert!(refused(twice).ends_with("Binary sets should not be empty"));
    }

    #[test]
    fn depth_is_bounded() {
        let mut value = AttributeValue {
            s: Some("leaf".into()),
            ..AttributeValue::default()
        };
        for _ in 0..DEEPEST {
            value = AttributeValue {
                l: Some(vec![value]),
                ..AttributeValue::default()
            };
        }
        assert!(attribute(value.clone()).is_ok());
        let deeper = AttributeValue {
            l: Some(vec![value]),
            ..AttributeValue::default()
        };
        assert_eq!(
            refused(deeper),
            "Nesting Levels have exceeded supported limits"
        );
    }
}
