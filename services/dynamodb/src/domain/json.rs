//! Items as lines of JSON, in the API's form: what exports hold and imports read.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::value::{Attribute, Item};
use super::{Invalid, convert};
use crate::generated::AttributeValue;

pub fn write(item: &Item) -> Value {
    let members = item.iter().map(|(name, value)| (name.clone(), one(value)));
    Value::Object(members.collect())
}

fn one(value: &Attribute) -> Value {
    let shown = match value {
        Attribute::S(text) => json!(text),
        Attribute::N(number) => json!(number.to_string()),
        Attribute::B(bytes) => json!(STANDARD.encode(bytes)),
        Attribute::Bool(truth) => json!(truth),
        Attribute::Null => json!(true),
        Attribute::L(items) => items.iter().map(one).collect(),
        Attribute::M(members) => write(members),
        Attribute::Ss(set) => json!(set),
        Attribute::Ns(set) => set.iter().map(ToString::to_string).collect(),
        Attribute::Bs(set) => set.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
    };
    Value::Object(Map::from_iter([(value.kind().to_owned(), shown)]))
}

/// Reads what [`write`] writes.
pub fn read(members: Map<String, Value>) -> Result<Item, Invalid> {
    convert::item(item(members, 0)?)
}

/// More than `convert` lets an item have, so that it is the one that refuses.
const DEEPEST: usize = 40;

fn item(
    members: Map<String, Value>,
    depth: usize,
) -> Result<BTreeMap<String, AttributeValue>, Invalid> {
    members
        .into_iter()
        .map(|(name, value)| Ok((name, attribute(value, depth)?)))
        .collect()
}

fn attribute(value: Value, depth: usize) -> Result<AttributeValue, Invalid> {
    let unreadable = || Invalid::new("An attribute value is an object with its type as the key");
    if depth > DEEPEST {
        return Err(Invalid::new(
            "Nesting Levels have exceeded supported limits",
        ));
    }
    let Value::Object(kinds) = value else {
        return Err(unreadable());
    };
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        _ => Err(unreadable()),
    };
    let binary = |value: Value| {
        let decoded = STANDARD.decode(text(value)?);
        decoded.map(bytes::Bytes::from).map_err(|_| unreadable())
    };
    let list = |value: Value| match value {
        Value::Array(items) => Ok(items),
        _ => Err(unreadable()),
    };
    let truth = |value: Value| value.as_bool().ok_or_else(unreadable);
    let mut read = AttributeValue::default();
    for (kind, value) in kinds {
        match kind.as_str() {
            "S" => read.s = Some(text(value)?),
            "N" => read.n = Some(text(value)?),
            "B" => read.b = Some(binary(value)?),
            "BOOL" => read.bool = Some(truth(value)?),
            "NULL" => read.null = Some(truth(value)?),
            "SS" => {
                read.ss = Some(
                    list(value)?
                        .into_iter()
                        .map(text)
                        .collect::<Result<_, _>>()?,
                );
            }
            "NS" => {
                read.ns = Some(
                    list(value)?
                        .into_iter()
                        .map(text)
                        .collect::<Result<_, _>>()?,
                );
            }
            "BS" => {
                let binaries = list(value)?.into_iter().map(binary);
                read.bs = Some(binaries.collect::<Result<_, _>>()?);
            }
            "L" => {
                let items = list(value)?.into_iter().map(|it| attribute(it, depth + 1));
                read.l = Some(items.collect::<Result<_, _>>()?);
            }
            "M" => match value {
                Value::Object(members) => read.m = Some(item(members, depth + 1)?),
                _ => return Err(unreadable()),
            },
            _ => return Err(unreadable()),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::codec::tests::any_attribute;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("S|N|B|M|L|SS|NULL|x", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn items_read_back(item in prop::collection::btree_map(".{1,9}", any_attribute(), 0..6)) {
            let Value::Object(members) = write(&item) else { panic!("an object") };
            prop_assert_eq!(read(members).unwrap(), item);
        }

        #[test]
        fn nonsense_is_refused_without_a_panic(json in any_json()) {
            if let Value::Object(members) = json {
                let _ = read(members);
            }
        }
    }
}
