//! Durable state: an ordered key-value store and a blob store, behind traits.
