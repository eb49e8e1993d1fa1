//! Between the tree and Rust types: the [`Shape`] trait, its leaves, and the macros generated code
//! is written in.

use std::collections::BTreeMap;

use base::Timestamp;
use bytes::Bytes;

use crate::Value;

/// A type that can leave and enter the tree: generated structs and enums, and what they are made of.
pub trait Shape: Sized {
    /// Takes the members out of a tree that decoding and validation have already checked against
    /// the schema; members of another type or unknown name are ignored.
    fn from_value(value: Value) -> Self;

    /// Members that are `None` are left out.
    fn into_value(self) -> Value;

    /// `None` if the value is of another type.
    fn read(value: Value) -> Option<Self> {
        matches!(value, Value::Map(_)).then(|| Self::from_value(value))
    }

    /// `None` if there is nothing to write.
    fn write(self) -> Option<Value> {
        Some(self.into_value())
    }
}

/// The input or output of an operation that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unit {}

impl Shape for Unit {
    fn from_value(_: Value) -> Self {
        Self {}
    }

    fn into_value(self) -> Value {
        Value::Map(Vec::new())
    }
}

/// The members of one structure on their way in or out. Not generic where it can be helped: every
/// generated struct calls this for every field.
#[doc(hidden)]
#[derive(Default)]
pub struct Members(Vec<(String, Value)>);

impl Members {
    pub fn of(value: Value) -> Self {
        match value {
            Value::Map(members) => Self(members),
            _ => Self::default(),
        }
    }

    #[inline(never)]
    pub fn take<T: Shape + Default>(&mut self, name: &str) -> T {
        self.remove(name).and_then(T::read).unwrap_or_default()
    }

    fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.swap_remove(at).1)
    }

    #[inline(never)]
    pub fn put<T: Shape>(&mut self, name: &str, field: T) {
        if let Some(value) = field.write() {
            self.push(name, value);
        }
    }

    fn push(&mut self, name: &str, value: Value) {
        self.0.push((name.to_owned(), value));
    }

    pub fn into_value(self) -> Value {
        Value::Map(self.0)
    }
}

macro_rules! leaf {
    ($type:ty, $pattern:pat => $taken:expr, $self:ident => $given:expr) => {
        impl Shape for $type {
            fn from_value(value: Value) -> Self {
                Self::read(value).unwrap_or_default()
            }

            fn into_value($self) -> Value {
                $given
            }

            fn read(value: Value) -> Option<Self> {
                match value {
                    $pattern => $taken,
                    _ => None,
                }
            }
        }
    };
}

leaf!(String, Value::Str(text) => Some(text), self => Value::Str(self));
leaf!(bool, Value::Bool(truth) => Some(truth), self => Value::Bool(self));
leaf!(i32, Value::Int(number) => i32::try_from(number).ok(), self => Value::Int(self.into()));
leaf!(i64, Value::Int(number) => Some(number), self => Value::Int(self));
leaf!(Bytes, Value::Blob(bytes) => Some(bytes), self => Value::Blob(self));
leaf!(Timestamp, Value::Time(at) => Some(at), self => Value::Time(self));

impl Shape for f64 {
    fn from_value(value: Value) -> Self {
        Self::read(value).unwrap_or_default()
    }

    fn into_value(self) -> Value {
        Value::Float(self)
    }

    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Float(number) => Some(number),
            Value::Int(number) => Some(number as f64),
            _ => None,
        }
    }
}

/// A document: any tree.
impl Shape for Value {
    fn from_value(value: Value) -> Self {
        value
    }

    fn into_value(self) -> Value {
        self
    }

    fn read(value: Value) -> Option<Self> {
        Some(value)
    }
}

impl<T: Shape> Shape for Option<T> {
    fn from_value(value: Value) -> Self {
        T::read(value)
    }

    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }

    fn read(value: Value) -> Option<Self> {
        Some(T::read(value))
    }

    fn write(self) -> Option<Value> {
        self.map(T::into_value)
    }
}

impl<T: Shape> Shape for Box<T> {
    fn from_value(value: Value) -> Self {
        Self::new(T::from_value(value))
    }

    fn into_value(self) -> Value {
        T::into_value(*self)
    }

    fn read(value: Value) -> Option<Self> {
        T::read(value).map(Self::new)
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn from_value(value: Value) -> Self {
        Self::read(value).unwrap_or_default()
    }

    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }

    fn read(value: Value) -> Option<Self> {
        match value {
            Value::List(items) => Some(items.into_iter().filter_map(T::read).collect()),
            _ => None,
        }
    }
}

impl<T: Shape> Shape for BTreeMap<String, T> {
    fn from_value(value: Value) -> Self {
        Self::read(value).unwrap_or_default()
    }

    fn into_value(self) -> Value {
        Value::Map(
            self.into_iter()
                .map(|(key, value)| (key, value.into_value()))
                .collect(),
        )
    }

    fn read(value: Value) -> Option<Self> {
        match value {
            Value::Map(members) => Some(
                members
                    .into_iter()
                    .filter_map(|(key, value)| Some((key, T::read(value)?)))
                    .collect(),
            ),
            _ => None,
        }
    }
}

/// Implements [`Shape`] for a struct: each field with the model's name of its member.
#[macro_export]
macro_rules! structure {
    ($name:ident { $($field:ident: $member:literal),* $(,)? }) => {
        impl $crate::Shape for $name {
            fn from_value(value: $crate::Value) -> Self {
                #[allow(unused_mut, unused_variables)]
                let mut members = $crate::Members::of(value);
                Self { $($field: members.take($member),)* }
            }

            fn into_value(self) -> $crate::Value {
                #[allow(unused_mut)]
                let mut members = $crate::Members::default();
                $(members.put($member, self.$field);)*
                members.into_value()
            }
        }
    };
}

/// Implements [`Shape`], `as_str`, `parse`, `VALUES` and `Display` for an enum of strings: each
/// variant with its text.
#[macro_export]
macro_rules! string_enum {
    ($name:ident { $($variant:ident: $text:literal),* $(,)? }) => {
        impl $name {
            /// Every value, in the model's order.
            pub const VALUES: &'static [Self] = &[$(Self::$variant),*];

            /// As it travels.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// `None` if the text is not one of the modelled values.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::Shape for $name {
            fn from_value(value: $crate::Value) -> Self {
                Self::read(value).unwrap_or_default()
            }

            fn into_value(self) -> $crate::Value {
                $crate::Value::Str(self.as_str().to_owned())
            }

            fn read(value: $crate::Value) -> Option<Self> {
                value.as_str().and_then(Self::parse)
            }
        }
    };
}

/// Implements `Debug` for a struct with members that must not reach a log.
#[macro_export]
macro_rules! redacted_debug {
    ($name:ident { $($shown:ident),* $(,)? } hides { $($hidden:ident),* $(,)? }) => {
        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_struct(stringify!($name))
                    $(.field(stringify!($shown), &self.$shown))*
                    $(.field(stringify!($hidden), &"***"))*
                    .finish()
            }
        }
    };
}
