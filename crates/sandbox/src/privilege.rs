//! Whether this server may make sandboxes with host users, or needs user namespaces.

use std::fs;

use crate::uids::{FIRST, LAST};

const CAP_SYS_ADMIN: u32 = 21;
const CAP_SETUID: u32 = 7;
const CAP_SETGID: u32 = 6;

/// Real root: uid 0 with the capabilities that count, in a user namespace that has the pool's
/// uids. Root of a container often lacks one or the other.
pub(crate) fn is_root() -> bool {
    // SAFETY: no preconditions.
    let uid = unsafe { libc::geteuid() };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let needed = [CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID];
    uid == 0 && has_capabilities(&status, &needed) && maps_pool(&map)
}

/// The machine's root without the capabilities that count: a function's user is that root as well,
/// whatever namespace it is in.
pub(crate) fn is_root_without_means() -> bool {
    // SAFETY: no preconditions.
    let uid = unsafe { libc::geteuid() };
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    uid == 0 && !is_root() && maps_root_to_root(&map)
}

/// Whether this server has the capability.
pub(crate) fn has(capability: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_capabilities(&status, &[capability])
}

/// Whether `/proc/self/status` shows these as effective.
fn has_capabilities(status: &str, needed: &[u32]) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    let effective = effective.unwrap_or(0);
    needed
        .iter()
        .all(|capability| effective & (1 << capability) != 0)
}

/// Whether one line of `/proc/self/uid_map` holds every uid of the pools.
fn maps_pool(map: &str) -> bool {
    map.lines().any(|line| {
        let mut fields = line
            .split_whitespace()
            .map(|field| field.parse::<u64>().unwrap_or(0));
        let (first, _, count) = (fields.next(), fields.next(), fields.next());
        let (first, count) = (first.unwrap_or(0), count.unwrap_or(0));
        first <= u64::from(FIRST) && first + count > u64::from(LAST)
    })
}

/// Whether root here is root where `/proc/self/uid_map` says what it stands for.
fn maps_root_to_root(map: &str) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_whitespace();
        fields.next() == Some("0") && fields.next() == Some("0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_map_has_the_pool_and_a_rootless_containers_has_not() {
        assert!(maps_pool("         0          0 4294967295\n"));
        assert!(!maps_pool(
            "         0       1000          1\n         1     100000      65536\n"
        ));
        assert!(!maps_pool(""));
    }

    #[test]
    fn roots_of_rootless_containers_are_somebody_else() {
        assert!(maps_root_to_root("         0          0 4294967295\n"));
        assert!(maps_root_to_root("         0          0          1\n"));
        assert!(!maps_root_to_root("         0       1000          1\n"));
        assert!(!maps_root_to_root(""));
    }

    #[test]
    fn every_needed_capability_must_be_effective() {
        let status = "CapPrm:\tffffffffffffffff\nCapEff:\t00000000a80425fb\n";
        assert!(has_capabilities(status, &[CAP_SETUID, CAP_SETGID]));
        assert!(!has_capabilities(status, &[CAP_SETUID, CAP_SYS_ADMIN]));
        assert!(!has_capabilities("", &[CAP_SETUID]));
    }
}
