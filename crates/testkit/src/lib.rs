//! An in-process server, a signing client and a clock that tests own.
