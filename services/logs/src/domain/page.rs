//! Page tokens: opaque to clients, checked when they come back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Which way GetLogEvents goes from a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Forward,
    Backward,
}

/// A place in a stream: between events, after `at`/`sequence` going forward, before it going
/// backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamToken {
    pub direction: Direction,
    pub at: u64,
    pub sequence: u64,
}

impl StreamToken {
    /// `f/` and `b/` begin AWS's tokens too.
    pub fn encode(self) -> String {
        let sign = if self.direction == Direction::Forward {
            'f'
        } else {
            'b'
        };
        format!("{sign}/{:020}{:020}", self.at, self.sequence)
    }

    pub fn decode(token: &str) -> Option<Self> {
        let (direction, digits) = match token.split_once('/')? {
            ("f", digits) => (Direction::Forward, digits),
            ("b", digits) => (Direction::Backward, digits),
            _ => return None,
        };
        if digits.len() != 40 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            direction,
            at: digits[..20].parse().ok()?,
            sequence: digits[20..].parse().ok()?,
        })
    }
}

/// A token that carries text, such as the last name of a page.
pub fn encode_text(last: &str) -> String {
    URL_SAFE_NO_PAD.encode(last)
}

pub fn decode_text(token: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_round_trip_and_garbage_does_not() {
        let token = StreamToken {
            direction: Direction::Backward,
            at: u64::MAX,
            sequence: 7,
        };
        assert_eq!(StreamToken::decode(&token.encode()), Some(token));
        for bad in [
            "",
            "f/",
            "f/1",
            "x/00000000000000000001",
            "f/あ",
            "f/-0000000000000000000000000000000000000001",
        ] {
            assert_eq!(StreamToken::decode(bad), None, "{bad}");
        }
        assert_eq!(decode_text(&encode_text("a/b")).as_deref(), Some("a/b"));
        assert_eq!(decode_text("%%"), None);
    }
}
