//! The `kagero` command.

fn main() {}
