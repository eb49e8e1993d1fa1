//! The addresses of environments: a /16 that nothing on the host has a route to.

use std::net::Ipv4Addr;

use super::link::Route;

/// Addresses of the pool that an environment can have: not the network's own, not the gateway's,
/// not the broadcast address.
const FIRST: u16 = 2;
const LAST: u16 = 0xfffe;

/// Sixteen bits of network; within it, `.0.1` is the gateway of every environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pool([u8; 2]);

impl Pool {
    /// A free network for this server. Servers on one host begin to look at different places.
    pub(super) fn choose(seed: u64, routes: &[Route], taken: &[Self]) -> Option<Self> {
        let candidates = candidates();
        let start = (seed % candidates.len() as u64) as usize;
        (0..candidates.len())
            .map(|step| candidates[(start + step) % candidates.len()])
            .find(|pool| !taken.contains(pool) && !routes.iter().any(|route| pool.overlaps(route)))
    }

    pub(super) fn gateway(self) -> Ipv4Addr {
        self.address(1)
    }

    fn address(self, number: u16) -> Ipv4Addr {
        let [high, low] = number.to_be_bytes();
        Ipv4Addr::new(self.0[0], self.0[1], high, low)
    }

    /// The address of an environment by its running number, and that number within the pool.
    pub(super) fn environment(self, number: u64) -> (u16, Ipv4Addr) {
        let size = u64::from(LAST - FIRST) + 1;
        let number = FIRST + (number % size) as u16;
        (number, self.address(number))
    }

    /// As a word in a name: `10.213`.
    pub(super) fn label(self) -> String {
        format!("{}.{}", self.0[0], self.0[1])
    }

    pub(super) fn from_label(label: &str) -> Option<Self> {
        let (high, low) = label.split_once('.')?;
        Some(Self([high.parse().ok()?, low.parse().ok()?]))
    }

    fn overlaps(self, route: &Route) -> bool {
        // The default route is what a pool is for.
        if route.prefix == 0 {
            return false;
        }
        let bits = route.prefix.min(16);
        let mask = u16::MAX.checked_shl(16 - u32::from(bits)).unwrap_or(0);
        let octets = route.destination.octets();
        let network = u16::from_be_bytes([octets[0], octets[1]]);
        u16::from_be_bytes(self.0) & mask == network & mask
    }
}

/// Private networks (RFC 1918), then those between providers and their customers (RFC 6598), but
/// none that home routers, Docker, Kubernetes or cloud providers are known to take first.
fn candidates() -> Vec<Pool> {
    let private = (128..=250).map(|second| Pool([10, second]));
    let docker_free = (22..=30).map(|second| Pool([172, second]));
    let shared = (66..=99).map(|second| Pool([100, second]));
    private.chain(docker_free).chain(shared).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(destination: [u8; 4], prefix: u8) -> Route {
        Route {
            destination: destination.into(),
            prefix,
            out: Some(2),
            is_unicast: true,
        }
    }

    #[test]
    fn a_pool_avoids_every_route_but_the_default_one() {
        let default = route([0, 0, 0, 0], 0);
        let first = Pool::choose(0, &[default], &[]).unwrap();
        assert_eq!(first, Pool([10, 128]));
        let host = route([10, 128, 7, 7], 32);
        assert_eq!(Pool::choose(0, &[host], &[]), Some(Pool([10, 129])));
        let whole = route([10, 0, 0, 0], 8);
        assert_eq!(Pool::choose(0, &[whole], &[]), Some(Pool([172, 22])));
        assert_eq!(Pool::choose(0, &[], &[first]), Some(Pool([10, 129])));
        let all = [
            whole,
            route([172, 16, 0, 0], 12),
            route([100, 64, 0, 0], 10),
        ];
        assert_eq!(Pool::choose(3, &all, &[]), None);
    }

    #[test]
    fn addresses_run_around_without_the_gateways() {
        let pool = Pool([10, 213]);
        assert_eq!(pool.gateway(), Ipv4Addr::new(10, 213, 0, 1));
        assert_eq!(pool.environment(0), (2, Ipv4Addr::new(10, 213, 0, 2)));
        let last = u64::from(LAST - FIRST);
        assert_eq!(pool.environment(last).1, Ipv4Addr::new(10, 213, 255, 254));
        assert_eq!(pool.environment(last + 1), pool.environment(0));
        assert_eq!(Pool::from_label(&pool.label()), Some(pool));
    }
}
