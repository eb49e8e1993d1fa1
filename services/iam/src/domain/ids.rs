//! Unique ids, access keys and ARNs.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>

use base::{AccountId, Arn};
use sha2::{Digest, Sha256};

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE62: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub const ROLE: &str = "AROA";
pub const USER: &str = "AIDA";
pub const MANAGED_POLICY: &str = "ANPA";
pub const LONG_TERM_KEY: &str = "AKIA";
pub const SESSION_KEY: &str = "ASIA";

/// A fresh unique id: the prefix and 17 random characters.
pub fn unique_id(prefix: &str) -> String {
    id_of_bytes(prefix, &rand::random())
}

/// The id of something that has always been there, the same on every machine.
pub fn stable_id(prefix: &str, name: &str) -> String {
    id_of_bytes(prefix, &Sha256::digest(name).into())
}

fn id_of_bytes(prefix: &str, bytes: &[u8; 32]) -> String {
    let tail = bytes[..17]
        .iter()
        .map(|byte| char::from(BASE32[usize::from(byte % 32)]));
    prefix.chars().chain(tail).collect()
}

/// A fresh access key id: the prefix and 16 characters. Like AWS's they carry the account, in bits
/// 1 to 40, so that GetAccessKeyInfo works for keys of which nothing is stored.
pub fn access_key_id(prefix: &str, account: AccountId) -> String {
    let number: u64 = account.as_str().parse().expect("an account is 12 digits");
    let random: [u8; 5] = rand::random();
    // 80 bits: one set, 40 of the account, 39 random.
    let noise = random
        .iter()
        .fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    let bits = (1_u128 << 79) | (u128::from(number) << 39) | (noise & ((1 << 39) - 1));
    let tail = (0..16)
        .rev()
        .map(|at| char::from(BASE32[(bits >> (at * 5)) as usize % 32]));
    prefix.chars().chain(tail).collect()
}

/// The account that an access key id carries, if it is one of [`access_key_id`]'s (or AWS's).
pub fn account_of_key(id: &str) -> Option<AccountId> {
    let tail = id
        .strip_prefix(LONG_TERM_KEY)
        .or_else(|| id.strip_prefix(SESSION_KEY))?;
    if tail.len() != 16 {
        return None;
    }
    let mut bits = 0_u128;
    for byte in tail.bytes() {
        let value = BASE32.iter().position(|letter| *letter == byte)?;
        bits = (bits << 5) | value as u128;
    }
    let number = (bits >> 39) & ((1 << 40) - 1);
    format!("{number:012}").parse().ok()
}

/// A fresh secret access key: 40 characters, over 230 bits.
pub fn secret() -> String {
    let bytes: [u8; 40] = rand::random();
    bytes
        .iter()
        .map(|byte| char::from(BASE62[usize::from(*byte) % 62]))
        .collect()
}

/// `arn:aws:iam::ACCOUNT:role/path/name`; paths begin and end with a slash.
pub fn arn(account: AccountId, kind: &str, path: &str, name: &str) -> Arn {
    Arn::global("iam", account, format!("{kind}{path}{name}"))
}

/// `arn:aws:sts::ACCOUNT:assumed-role/role/session`, without the role's path.
pub fn session_arn(account: AccountId, role: &str, session: &str) -> Arn {
    Arn::global("sts", account, format!("assumed-role/{role}/{session}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_aws_lengths() {
        assert_eq!(unique_id(ROLE).len(), 21);
        assert_ne!(unique_id(ROLE), unique_id(ROLE));
        assert_eq!(
            stable_id(MANAGED_POLICY, "a"),
            stable_id(MANAGED_POLICY, "a")
        );
        assert_eq!(secret().len(), 40);
    }

    #[test]
    fn access_keys_carry_their_account() {
        for account in ["000000000000", "123456789012", "999999999999"] {
            let account: AccountId = account.parse().unwrap();
            let key = access_key_id(SESSION_KEY, account);
            assert_eq!(key.len(), 20);
            assert!(key.starts_with("ASIA"));
            assert_eq!(account_of_key(&key), Some(account));
        }
        // AWS's own documentation key.
        assert_eq!(
            account_of_key("ASIAQNZGKIQY56JQ7WML").unwrap().as_str(),
            "029608264753"
        );
        for other in ["test", "AKIA", "AKIA0000000000000001"] {
            assert_eq!(account_of_key(other), None, "{other}");
        }
    }
}
