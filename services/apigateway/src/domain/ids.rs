//! Ids as AWS makes them: lower-case letters and digits.

use rand::RngExt as _;

const LETTERS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const MIXED: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn random(letters: &[u8], length: usize) -> String {
    let mut rng = rand::rng();
    let letter = |_| char::from(letters[rng.random_range(0..letters.len())]);
    (0..length).map(letter).collect()
}

/// Of APIs and API keys.
pub fn long() -> String {
    random(LETTERS, 10)
}

/// Of everything else.
pub fn short() -> String {
    random(LETTERS, 6)
}

/// What clients send as `x-api-key`.
pub fn key_value() -> String {
    random(MIXED, 40)
}
