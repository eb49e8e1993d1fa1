//! Primary keys and index keys: what they may be, and bytes whose order is theirs.

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};

use super::Invalid;
use super::value::{Attribute, Item};

const LONGEST_HASH: usize = 2048;
const LONGEST_RANGE: usize = 1024;

/// The types a key attribute can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyKind {
    S,
    N,
    B,
}

impl KeyKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S => "S",
            Self::N => "N",
            Self::B => "B",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAttribute {
    pub name: String,
    pub kind: KeyKind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySchema {
    pub hash: KeyAttribute,
    pub range: Option<KeyAttribute>,
}

/// A key as bytes: ordered by range within one hash key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyBytes {
    pub hash: Vec<u8>,
    /// Empty where there is no range key.
    pub range: Vec<u8>,
}

impl KeyBytes {
    /// Where the items of a hash key lie: their order says nothing of the keys themselves, so that
    /// segments of a scan are even.
    pub fn partition(hash: &[u8]) -> u64 {
        let digest = Md5::digest(hash);
        u64::from_be_bytes(digest[..8].try_into().expect("the digest has 16 bytes"))
    }
}

impl KeySchema {
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes().any(|attribute| attribute.name == name)
    }

    /// The key of a request, which must be just that.
    pub fn of_key(&self, key: &Item) -> Result<KeyBytes, Invalid> {
        let count = self.attributes().count();
        let fits = |attribute: &KeyAttribute| {
            key.get(&attribute.name)
                .is_some_and(|value| value.kind() == attribute.kind.as_str())
        };
        if key.len() != count || !self.attributes().all(fits) {
            return Err(Invalid::new(
                "The provided key element does not match the schema",
            ));
        }
        self.of_item(key)
    }

    /// The key of an item about to be stored.
    pub fn of_item(&self, item: &Item) -> Result<KeyBytes, Invalid> {
        let bytes = |attribute: &KeyAttribute| {
            let name = &attribute.name;
            let value = item
                .get(name)
                .ok_or_else(|| Invalid::parameter(format!("Missing the key {name} in the item")))?;
            if value.kind() != attribute.kind.as_str() {
                return Err(Invalid::parameter(format!(
                    "Type mismatch for key {name} expected: {} actual: {}",
                    attribute.kind.as_str(),
                    value.kind()
                )));
            }
            if let Some(kind) = empty(value) {
                return Err(Invalid::empty_key(kind, name));
            }
            ordered_key(value)
                .ok_or_else(|| Invalid::new("The provided key element does not match the schema"))
        };
        let hash = bytes(&self.hash)?;
        let range = self
            .range
            .as_ref()
            .map(bytes)
            .transpose()?
            .unwrap_or_default();
        check_lengths(&hash, &range)?;
        Ok(KeyBytes { hash, range })
    }

    /// The key of an item in an index; `None` if the item lacks a part, and so is not in it.
    pub fn of_indexed(&self, item: &Item) -> Option<KeyBytes> {
        let bytes = |attribute: &KeyAttribute| {
            let value = item.get(&attribute.name)?;
            (value.kind() == attribute.kind.as_str()).then(|| ordered_key(value))?
        };
        Some(KeyBytes {
            hash: bytes(&self.hash)?,
            range: match &self.range {
                Some(range) => bytes(range)?,
                None => Vec::new(),
            },
        })
    }

    /// Checks what an index named `index` asks of an item that has its attributes.
    pub fn check_indexed(&self, item: &Item, index: &str) -> Result<(), Invalid> {
        for (at, attribute) in self.attributes().enumerate() {
            let name = &attribute.name;
            let Some(value) = item.get(name) else {
                continue;
            };
            if value.kind() != attribute.kind.as_str() {
                return Err(Invalid::parameter(format!(
                    "Type mismatch for Index Key {name} Expected: {} Actual: {} IndexName: {index}",
                    attribute.kind.as_str(),
                    value.kind()
                )));
            }
            if let Some(kind) = empty(value) {
                return Err(Invalid::new(format!(
                    "One or more parameter values are not valid. A value specified for a secondary \
                     index key is not supported. The AttributeValue for a key attribute cannot \
                     contain an empty {kind} value. IndexName: {index}, IndexKey: {name}"
                )));
            }
            if let Some(bytes) = ordered_key(value) {
                let (hash, range) = if at == 0 {
                    (bytes.as_slice(), &[][..])
                } else {
                    (&[][..], bytes.as_slice())
                };
                check_lengths(hash, range)?;
            }
        }
        Ok(())
    }

    /// The key attributes of an item.
    pub fn pick(&self, item: &Item) -> Item {
        self.attributes()
            .filter_map(|attribute| item.get_key_value(&attribute.name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// Bytes whose order is that of strings (by UTF-8), numbers, or binaries.
pub fn ordered_key(value: &Attribute) -> Option<Vec<u8>> {
    match value {
        Attribute::S(text) => Some(text.as_bytes().to_vec()),
        Attribute::B(bytes) => Some(bytes.to_vec()),
        Attribute::N(number) => {
            let mut bytes = Vec::with_capacity(24);
            number.encode_ordered(&mut bytes);
            Some(bytes)
        }
        _ => None,
    }
}

fn empty(value: &Attribute) -> Option<&'static str> {
    match value {
        Attribute::S(text) if text.is_empty() => Some("string"),
        Attribute::B(bytes) if bytes.is_empty() => Some("binary"),
        _ => None,
    }
}

fn check_lengths(hash: &[u8], range: &[u8]) -> Result<(), Invalid> {
    if hash.len() > LONGEST_HASH {
        return Err(Invalid::parameter(
            "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ));
    }
    if range.len() > LONGEST_RANGE {
        return Err(Invalid::parameter(
            "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ));
    }
    Ok(())
}
