//! Comparing what must not be guessed byte by byte.

use subtle::ConstantTimeEq;

/// Whether two byte strings are equal, in a time that depends on their lengths only. For session
/// tokens and signatures.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_whole_strings() {
        assert!(constant_time_eq(b"token", b"token"));
        assert!(!constant_time_eq(b"token", b"tokem"));
        assert!(!constant_time_eq(b"token", b"toke"));
    }
}
