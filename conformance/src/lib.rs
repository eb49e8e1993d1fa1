//! Real clients against the built binary.
