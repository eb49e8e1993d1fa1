//! How far requests go that the server itself sends, for whoever has it send them.

use serde::{Deserialize, Serialize};

/// Where a request of the server's may lead. What a function has the server send must get no
/// further than the function itself: the server is on the host, and functions are kept from it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// To every server that this machine reaches, those on it included.
    #[default]
    Anywhere,
    /// Only where functions may: the call came, or what it is about was made, through the gateway
    /// of an environment.
    Function,
}

impl Reach {
    /// The narrower of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }

    /// For records, which say nothing of what may go anywhere.
    pub fn is_anywhere(&self) -> bool {
        *self == Self::Anywhere
    }
}

#[cfg(test)]
mod tests {
    use super::Reach::{Anywhere, Function};

    #[test]
    fn the_narrower_counts() {
        assert_eq!(Anywhere.and(Anywhere), Anywhere);
        for (one, other) in [
            (Anywhere, Function),
            (Function, Anywhere),
            (Function, Function),
        ] {
            assert_eq!(one.and(other), Function);
        }
    }
}
