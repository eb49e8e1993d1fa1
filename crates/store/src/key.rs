//! Keys built of parts, whose byte order is the order of the parts.
//!
//! Text ends with `00 01` and a zero byte within it is written `00 FF`, so that no part can bleed
//! into the next and a shorter text sorts before one it begins. Integers are big endian, with the
//! sign bit flipped for signed ones. Types are not tagged: the keys of one table have one shape.

use bytes::Bytes;

use crate::StoreError;

const ZERO: u8 = 0;
const END: u8 = 1;
const ESCAPED: u8 = u8::MAX;

/// An encoded key.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// The key of no parts, a prefix of every key.
    pub fn new() -> Self {
        Self::default()
    }

    /// The key of these parts: `Key::of(("queue", 7_u64))`.
    pub fn of(parts: impl KeyParts) -> Self {
        let mut key = Vec::with_capacity(64);
        parts.encode(&mut key);
        Self(key)
    }

    /// Takes bytes that were once a key's, such as a pagination token's.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Adds a text part.
    #[must_use]
    pub fn text(mut self, part: &str) -> Self {
        part.encode(&mut self.0);
        self
    }

    /// Adds an unsigned part.
    #[must_use]
    pub fn u64(mut self, part: u64) -> Self {
        part.encode(&mut self.0);
        self
    }

    /// Adds a signed part.
    #[must_use]
    pub fn i64(mut self, part: i64) -> Self {
        part.encode(&mut self.0);
        self
    }

    /// Adds the start of a text part: the key is then a prefix of all keys whose next part begins
    /// with `start`. Nothing may be added after it.
    #[must_use]
    pub fn text_prefix(mut self, start: &str) -> Self {
        push_escaped(&mut self.0, start.as_bytes());
        self
    }

    /// The encoded bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads the parts back, in order.
    pub fn reader(&self) -> KeyReader<'_> {
        KeyReader { rest: &self.0 }
    }
}

impl From<Key> for Bytes {
    fn from(key: Key) -> Self {
        key.0.into()
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// What a key can be made of: text, integers, byte strings, an encoded [`Key`], and tuples of up
/// to six of them. `()` is the key of no parts.
pub trait KeyParts {
    /// Appends the encoding to `key`.
    fn encode(&self, key: &mut Vec<u8>);
}

impl KeyParts for str {
    fn encode(&self, key: &mut Vec<u8>) {
        push_escaped(key, self.as_bytes());
        key.extend_from_slice(&[ZERO, END]);
    }
}

impl KeyParts for String {
    fn encode(&self, key: &mut Vec<u8>) {
        self.as_str().encode(key);
    }
}

impl KeyParts for [u8] {
    fn encode(&self, key: &mut Vec<u8>) {
        push_escaped(key, self);
        key.extend_from_slice(&[ZERO, END]);
    }
}

impl KeyParts for u64 {
    fn encode(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(&self.to_be_bytes());
    }
}

impl KeyParts for i64 {
    fn encode(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(&(self.cast_unsigned() ^ (1 << 63)).to_be_bytes());
    }
}

/// Already encoded: its parts are appended as they are.
impl KeyParts for Key {
    fn encode(&self, key: &mut Vec<u8>) {
        key.extend_from_slice(&self.0);
    }
}

impl<P: KeyParts + ?Sized> KeyParts for &P {
    fn encode(&self, key: &mut Vec<u8>) {
        (**self).encode(key);
    }
}

impl KeyParts for () {
    fn encode(&self, _: &mut Vec<u8>) {}
}

macro_rules! tuple_parts {
    ($($part:ident)+) => {
        impl<$($part: KeyParts),+> KeyParts for ($($part,)+) {
            #[allow(non_snake_case, reason = "the type's name serves as the binding's")]
            fn encode(&self, key: &mut Vec<u8>) {
                let ($($part,)+) = self;
                $($part.encode(key);)+
            }
        }
    };
}
tuple_parts!(A);
tuple_parts!(A B);
tuple_parts!(A B C);
tuple_parts!(A B C D);
tuple_parts!(A B C D E);
tuple_parts!(A B C D E F);

fn push_escaped(key: &mut Vec<u8>, text: &[u8]) {
    key.reserve(text.len() + 2);
    let mut rest = text;
    while let Some(at) = memchr::memchr(ZERO, rest) {
        key.extend_from_slice(&rest[..=at]);
        key.push(ESCAPED);
        rest = &rest[at + 1..];
    }
    key.extend_from_slice(rest);
}

/// Takes a key apart. The caller knows the shape; anything else is [`StoreError::Corrupt`].
#[derive(Debug, Clone)]
pub struct KeyReader<'a> {
    rest: &'a [u8],
}

impl<'a> KeyReader<'a> {
    /// Reads the parts of encoded bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next part, which is text.
    pub fn text(&mut self) -> Result<String, StoreError> {
        String::from_utf8(self.bytes()?).map_err(|_| malformed("a text part is not UTF-8"))
    }

    /// The next part, which is a byte string.
    pub fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        let mut part = Vec::new();
        let mut bytes = self.rest.iter().enumerate();
        while let Some((_, byte)) = bytes.next() {
            if *byte != ZERO {
                part.push(*byte);
                continue;
            }
            match bytes.next() {
                Some((_, &ESCAPED)) => part.push(ZERO),
                Some((at, &END)) => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(part);
                }
                _ => return Err(malformed("a part is wrongly escaped")),
            }
        }
        Err(malformed("a part does not end"))
    }

    /// The next part, which is unsigned.
    pub fn u64(&mut self) -> Result<u64, StoreError> {
        let (part, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| malformed("an integer is cut short"))?;
        self.rest = rest;
        Ok(u64::from_be_bytes(*part))
    }

    /// The next part, which is signed.
    pub fn i64(&mut self) -> Result<i64, StoreError> {
        self.u64().map(|part| (part ^ (1 << 63)).cast_signed())
    }

    /// Whether every part has been read.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }
}

fn malformed(what: &'static str) -> StoreError {
    StoreError::corrupt(format!("key: {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn byte_order_is_part_order(
            a in ("[\0\u{1}a\u{ff}]{0,4}", any::<u64>(), any::<i64>()),
            b in ("[\0\u{1}a\u{ff}]{0,4}", any::<u64>(), any::<i64>()),
        ) {
            let of = |(s, u, i): &(String, u64, i64)| Key::of((s, u, i));
            prop_assert_eq!(of(&a).cmp(&of(&b)), a.cmp(&b));
        }

        #[test]
        fn parts_read_back(s in "\\PC{0,9}\0?", u: u64, i: i64, b: Vec<u8>) {
            let key = Key::of((&s, u, i, b.as_slice()));
            let mut reader = key.reader();
            prop_assert_eq!(reader.text().unwrap(), s);
            prop_assert_eq!(reader.u64().unwrap(), u);
            prop_assert_eq!(reader.i64().unwrap(), i);
            prop_assert_eq!(reader.bytes().unwrap(), b);
            prop_assert!(reader.is_done());
        }

        #[test]
        fn garbage_is_refused_without_panic(bytes: Vec<u8>) {
            let mut reader = KeyReader::new(&bytes);
            while reader.text().is_ok() && reader.u64().is_ok() {}
        }
    }

    #[test]
    fn no_part_bleeds_into_the_next() {
        assert_ne!(Key::of(("ab", "c")), Key::of(("a", "bc")));
        assert!(
            !Key::of(("ab", "c"))
                .as_bytes()
                .starts_with(Key::of("a").as_bytes())
        );
        let open = Key::new().text("q").text_prefix("or");
        assert!(
            Key::of(("q", "orders"))
                .as_bytes()
                .starts_with(open.as_bytes())
        );
    }
}
