//! What a reference stands for while a template runs.

use std::rc::Rc;

use crate::ast::Block;

/// Lists and maps are shared, as Java's are: a value names its place on the [`Heap`](crate::heap::Heap).
#[derive(Clone, Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    List(ListId),
    Map(MapId),
    /// An entry of a map, as `entrySet` gives it.
    Entry(Rc<(Rc<str>, Value)>),
    /// `$input`.
    Input,
    /// `$util`.
    Util,
    /// What `#define` gave a name.
    Block(Block),
    /// `$foreach`, by how many loops are around it.
    Loop(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListId(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapId(pub usize);

impl Value {
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::Text(Rc::from(text.as_ref()))
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// As `#if` takes it: what is there is true, unless it is `false`.
    pub fn is_true(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    pub fn int(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }
}
