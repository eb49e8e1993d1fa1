//! Primary keys and index keys: what they may be, and bytes whose order is theirs.

use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use store::Key;

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
    /// The hash key's further attributes, which only a global index may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_hash: Vec<KeyAttribute>,
    pub range: Option<KeyAttribute>,
    /// The range key's further attributes, which only a global index may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_range: Vec<KeyAttribute>,
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
    /// A key of one hash attribute and at most one range attribute.
    pub fn simple(hash: KeyAttribute, range: Option<KeyAttribute>) -> Self {
        Self {
            hash,
            more_hash: Vec::new(),
            range,
            more_range: Vec::new(),
        }
    }

    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        self.hash_attributes().chain(self.range_attributes())
    }

    pub fn hash_attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.hash).chain(&self.more_hash)
    }

    pub fn range_attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        self.range.iter().chain(&self.more_range)
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
        check_lengths(hash.len(), range.len())?;
        Ok(KeyBytes { hash, range })
    }

    /// The key of an item in an index; `None` if the item lacks a part, and so is not in it.
    pub fn of_indexed(&self, item: &Item) -> Option<KeyBytes> {
        let bytes = |attribute: &KeyAttribute| {
            let value = item.get(&attribute.name)?;
            (value.kind() == attribute.kind.as_str()).then(|| ordered_key(value))?
        };
        let hash: Option<Vec<_>> = self.hash_attributes().map(bytes).collect();
        let range: Option<Vec<_>> = self.range_attributes().map(bytes).collect();
        Some(KeyBytes {
            hash: joined(hash?),
            range: joined(range?),
        })
    }

    /// Checks what an index named `index` asks of an item that has its attributes.
    pub fn check_indexed(&self, item: &Item, index: &str) -> Result<(), Invalid> {
        let hashes = self.hash_attributes().count();
        let (mut hash, mut range) = (0, 0);
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
            let part = if at < hashes { &mut hash } else { &mut range };
            *part += ordered_key(value).map_or(0, |bytes| bytes.len());
        }
        check_lengths(hash, range)
    }

    /// The key attributes of an item.
    pub fn pick(&self, item: &Item) -> Item {
        self.attributes()
            .filter_map(|attribute| item.get_key_value(&attribute.name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// A key of several attributes as one, in the order of the first, then of the next.
fn joined(mut attributes: Vec<Vec<u8>>) -> Vec<u8> {
    match attributes.len() {
        0 | 1 => attributes.pop().unwrap_or_default(),
        _ => attributes.iter().flat_map(|bytes| part(bytes)).collect(),
    }
}

/// The bytes of an attribute within a key of several.
pub fn part(bytes: &[u8]) -> Vec<u8> {
    Key::of(bytes).as_bytes().to_vec()
}

/// The hash key of these values, as [`KeyBytes`] has it.
pub fn hash_key(values: &[Attribute]) -> Option<Vec<u8>> {
    let bytes: Option<Vec<_>> = values.iter().map(ordered_key).collect();
    bytes.map(joined)
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

fn check_lengths(hash: usize, range: usize) -> Result<(), Invalid> {
    if hash > LONGEST_HASH {
        return Err(Invalid::parameter(
            "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ));
    }
    if range > LONGEST_RANGE {
        return Err(Invalid::parameter(
            "Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ));
    }
    Ok(())
}
