//! The rows that an item has besides its own: in indexes, and in the list of what expires.

use bytes::Bytes;

use crate::domain::codec;
use crate::domain::key::KeyBytes;
use crate::domain::table::{Definition, Index};
use crate::domain::value::{Attribute, Item, item_size};
use crate::records;

/// A derived row of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: Bytes,
    pub value: Bytes,
    /// The index it belongs to, and the bytes it is charged with.
    pub index: Option<(u64, usize)>,
}

/// Every derived row of an item, by the table's definition.
pub fn rows(definition: &Definition, key: &KeyBytes, item: &Item) -> Vec<Row> {
    let in_indexes = definition
        .indexes
        .iter()
        .filter_map(|index| index_row(definition, index, key, item));
    in_indexes
        .chain(expiry_row(definition, key, item))
        .collect()
}

fn index_row(definition: &Definition, index: &Index, key: &KeyBytes, item: &Item) -> Option<Row> {
    let indexed = index.keys.of_indexed(item)?;
    let projected = index.project(&definition.keys, item);
    Some(Row {
        key: records::index_key(index.id, &indexed, key).into(),
        index: Some((index.id, item_size(&projected))),
        value: codec::encode(&projected),
    })
}

fn expiry_row(definition: &Definition, key: &KeyBytes, item: &Item) -> Option<Row> {
    let expiry = definition.expiry.as_ref()?;
    let at = expires_at(&expiry.attribute, item)?;
    Some(Row {
        key: records::expiry_key(expiry.id, at, key).into(),
        value: codec::encode(&definition.keys.pick(item)),
        index: None,
    })
}

/// When an item expires, in seconds since the epoch: anything but a number is no time.
pub fn expires_at(attribute: &str, item: &Item) -> Option<i64> {
    match item.get(attribute)? {
        Attribute::N(number) => number.to_i64(),
        _ => None,
    }
}
