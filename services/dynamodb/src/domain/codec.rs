//! Items as they are stored: a version byte, then attributes, each a tag and its content.
//!
//! Lengths are variable-length integers, seven bits a byte. Items are most of what is stored and
//! read, and half as long, and several times as fast to read, as in JSON.

use std::collections::BTreeSet;

use bytes::{Buf, Bytes};
use store::StoreError;

use super::number::Number;
use super::value::{Attribute, Item};

const VERSION: u8 = 1;
/// Deeper than an item may be, so that damaged bytes cannot exhaust the stack.
const DEEPEST: usize = 64;

pub fn encode(item: &Item) -> Bytes {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(VERSION);
    write_members(item, &mut bytes);
    bytes.into()
}

pub fn decode(mut bytes: Bytes) -> Result<Item, StoreError> {
    match take_byte(&mut bytes)? {
        VERSION => read_members(&mut bytes, 0),
        found => Err(StoreError::Newer {
            what: "dynamodb.item",
            found,
            known: VERSION,
        }),
    }
}

fn write_members(members: &Item, bytes: &mut Vec<u8>) {
    write_length(members.len(), bytes);
    for (name, value) in members {
        write_bytes(name.as_bytes(), bytes);
        write_value(value, bytes);
    }
}

fn write_value(value: &Attribute, bytes: &mut Vec<u8>) {
    match value {
        Attribute::S(text) => {
            bytes.push(b's');
            write_bytes(text.as_bytes(), bytes);
        }
        Attribute::N(number) => {
            bytes.push(b'n');
            write_bytes(number.to_string().as_bytes(), bytes);
        }
        Attribute::B(binary) => {
            bytes.push(b'b');
            write_bytes(binary, bytes);
        }
        Attribute::Bool(truth) => bytes.push(if *truth { b't' } else { b'f' }),
        Attribute::Null => bytes.push(b'0'),
        Attribute::L(items) => {
            bytes.push(b'l');
            write_length(items.len(), bytes);
            for item in items {
                write_value(item, bytes);
            }
        }
        Attribute::M(members) => {
            bytes.push(b'm');
            write_members(members, bytes);
        }
        Attribute::Ss(set) => write_set(b'S', set.iter().map(|text| text.clone().into()), bytes),
        Attribute::Ns(set) => {
            write_set(
                b'N',
                set.iter().map(|number| number.to_string().into()),
                bytes,
            );
        }
        Attribute::Bs(set) => write_set(b'B', set.iter().cloned(), bytes),
    }
}

fn write_set(tag: u8, members: impl ExactSizeIterator<Item = Bytes>, bytes: &mut Vec<u8>) {
    bytes.push(tag);
    write_length(members.len(), bytes);
    for member in members {
        write_bytes(&member, bytes);
    }
}

fn write_bytes(content: &[u8], bytes: &mut Vec<u8>) {
    write_length(content.len(), bytes);
    bytes.extend_from_slice(content);
}

fn write_length(mut length: usize, bytes: &mut Vec<u8>) {
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

fn read_members(bytes: &mut Bytes, depth: usize) -> Result<Item, StoreError> {
    (0..read_length(bytes)?)
        .map(|_| Ok((read_text(bytes)?, read_value(bytes, depth)?)))
        .collect()
}

fn read_value(bytes: &mut Bytes, depth: usize) -> Result<Attribute, StoreError> {
    if depth > DEEPEST {
        return Err(damaged());
    }
    Ok(match take_byte(bytes)? {
        b's' => Attribute::S(read_text(bytes)?),
        b'n' => Attribute::N(read_number(bytes)?),
        b'b' => Attribute::B(read_bytes(bytes)?),
        b't' => Attribute::Bool(true),
        b'f' => Attribute::Bool(false),
        b'0' => Attribute::Null,
        b'l' => {
            let items = (0..read_length(bytes)?).map(|_| read_value(bytes, depth + 1));
            Attribute::L(items.collect::<Result<_, _>>()?)
        }
        b'm' => Attribute::M(read_members(bytes, depth + 1)?),
        b'S' => Attribute::Ss(read_set(bytes, read_text)?),
        b'N' => Attribute::Ns(read_set(bytes, read_number)?),
        b'B' => Attribute::Bs(read_set(bytes, read_bytes)?),
        _ => return Err(damaged()),
    })
}

fn read_set<T: Ord>(
    bytes: &mut Bytes,
    read: fn(&mut Bytes) -> Result<T, StoreError>,
) -> Result<BTreeSet<T>, StoreError> {
    (0..read_length(bytes)?).map(|_| read(bytes)).collect()
}

fn read_number(bytes: &mut Bytes) -> Result<Number, StoreError> {
    Number::parse(&read_text(bytes)?).map_err(|_| damaged())
}

fn read_text(bytes: &mut Bytes) -> Result<String, StoreError> {
    String::from_utf8(read_bytes(bytes)?.into()).map_err(|_| damaged())
}

fn read_bytes(bytes: &mut Bytes) -> Result<Bytes, StoreError> {
    let length = read_length(bytes)?;
    Ok(bytes.split_to(length))
}

/// Of bytes or of members: neither can be longer than what is left.
fn read_length(bytes: &mut Bytes) -> Result<usize, StoreError> {
    let mut length = 0;
    for shift in (0..32).step_by(7) {
        let byte = take_byte(bytes)?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return if length <= bytes.len() {
                Ok(length)
            } else {
                Err(damaged())
            };
        }
    }
    Err(damaged())
}

fn take_byte(bytes: &mut Bytes) -> Result<u8, StoreError> {
    bytes.try_get_u8().map_err(|_| damaged())
}

fn damaged() -> StoreError {
    StoreError::corrupt("a stored DynamoDB item")
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    pub fn any_attribute() -> impl Strategy<Value = Attribute> {
        let number = (any::<i64>(), -20_i16..20)
            .prop_map(|(digits, exponent)| Number::parse(&format!("{digits}e{exponent}")).unwrap());
        let binary = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
        let leaf = prop_oneof![
            ".{0,20}".prop_map(Attribute::S),
            number.clone().prop_map(Attribute::N),
            binary.clone().prop_map(Attribute::B),
            any::<bool>().prop_map(Attribute::Bool),
            Just(Attribute::Null),
            prop::collection::btree_set(".{0,9}", 1..4).prop_map(Attribute::Ss),
            prop::collection::btree_set(number, 1..4).prop_map(Attribute::Ns),
            prop::collection::btree_set(binary, 1..4).prop_map(Attribute::Bs),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Attribute::L),
                prop::collection::btree_map("[a-c]{1,3}", inner, 0..6).prop_map(Attribute::M),
            ]
        })
    }

    proptest! {
        #[test]
        fn items_read_back(item in prop::collection::btree_map(".{0,9}", any_attribute(), 0..6)) {
            prop_assert_eq!(decode(encode(&item)).unwrap(), item);
        }

        #[test]
        fn damaged_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode([&[VERSION], bytes.as_slice()].concat().into());
        }
    }
}
