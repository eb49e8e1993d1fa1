//! How many files and sockets the server may hold: as many as the system lets it.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than a thousand environments and their connections need; some systems allow a billion.
const ENOUGH: u64 = 1 << 20;

/// Raises the soft limit of this process towards its hard one; returns what holds now.
///
/// An environment takes about a dozen descriptors. The usual soft limit of 1,024 is for programs
/// that call `select`, and would end at eighty environments.
pub fn raise() -> u64 {
    let limits = getrlimit(Resource::Nofile);
    let hard = limits.maximum.unwrap_or(ENOUGH);
    let soft = limits.current.unwrap_or(ENOUGH);
    let wanted = hard.min(ENOUGH).max(soft);
    let raised = Rlimit {
        current: Some(wanted),
        maximum: limits.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(error) => {
            tracing::warn!(%error, soft, "raise the limit of open files");
            soft
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_between_the_limit_and_what_is_allowed() {
        let reached = raise();
        let limits = getrlimit(Resource::Nofile);
        let hard = limits.maximum.unwrap_or(ENOUGH);
        assert_eq!(limits.current, Some(reached));
        assert!(reached >= hard.min(ENOUGH), "{reached} of {hard}");
    }
}
