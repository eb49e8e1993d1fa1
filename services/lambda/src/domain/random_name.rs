//! Names that Lambda makes up.

use rand::RngExt as _;

const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// Lower-case letters and digits.
pub fn random_name(length: usize) -> String {
    let mut random = rand::rng();
    (0..length)
        .map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]))
        .collect()
}
