//! The usage ledger: what each invocation consumed.
