//! Names and instants every crate shares: accounts, regions, ARNs, clocks, request ids.
