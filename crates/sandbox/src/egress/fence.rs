//! What an environment behind `pasta` may reach: rules in its own network namespace.
//!
//! `pasta` connects from the host's namespace to whatever it is asked for, so what is out of reach
//! has to be refused before it gets there. Routes that prohibit would not do: a program passes them
//! by when it names the device, with `SO_BINDTODEVICE` or `IP_PKTINFO`, and needs no privilege for it.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use super::link::Route;
use super::nftables::{self, Expression, Hook, Nftables, Table};
use super::rules::{
    EQUAL, MACHINE, META_OIFNAME, NETWORK, REGISTER, TCP, accept, compare, meta, payload, port,
    reject,
};

const TABLE: &str = "kagero";
const OUTPUT: &str = "output";
/// Offset of an IPv4 packet's destination.
const DESTINATION: u32 = 16;

/// Out of reach on every host: this host by its other names, and whoever listens to groups, of
/// whom the host's services are some.
const NEVER: [(Ipv4Addr, u8); 3] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Multicast, what is reserved, and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// The rules of one environment.
#[derive(Debug)]
pub(super) struct Fence {
    nftables: Nftables,
    /// What of the host is refused so far; also the right to speak on the socket.
    refused: Mutex<BTreeSet<(Ipv4Addr, u8)>>,
}

impl Fence {
    /// Puts the rules into the namespace of this socket. `pool` is the network that the
    /// environment's own address is of; the host's addresses come with [`Self::extend`].
    pub(super) fn put_up(nftables: Nftables, pool: Ipv4Addr) -> io::Result<Self> {
        nftables.make(table(pool))?;
        Ok(Self {
            nftables,
            refused: Mutex::default(),
        })
    }

    /// Refuses what of these routes of the host is its own, and new.
    pub(super) fn extend(&self, routes: &[Route]) -> io::Result<()> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = hosts(routes);
        new.retain(|network| !refused.contains(network));
        if new.is_empty() {
            return Ok(());
        }
        let refuse = |(address, prefix): &(Ipv4Addr, u8)| {
            let expressions = [&destination(*address, *prefix)[..], &[reject()]];
            nftables::rule(TABLE, OUTPUT, &expressions.concat())
        };
        self.nftables.append(new.iter().map(refuse).collect())?;
        refused.extend(new);
        Ok(())
    }
}

/// What is refused whatever the host's addresses are.
fn table(pool: Ipv4Addr) -> Table {
    let mut table = Table::lasting(TABLE);
    table.hook(OUTPUT, "filter", Hook::Output, 0);
    let mut loopback = b"lo".to_vec();
    loopback.resize(libc::IFNAMSIZ, 0);
    let own = [&meta(META_OIFNAME, EQUAL, &loopback)[..], &[accept()]];
    table.rule(OUTPUT, &own.concat());
    for (address, prefix) in NEVER.into_iter().chain([(pool, 16)]) {
        let refused = [&destination(address, prefix)[..], &[reject()]];
        table.rule(OUTPUT, &refused.concat());
    }
    for (address, prefix, only) in MACHINE {
        let only = only.map(|number| port(TCP, number)).unwrap_or_default();
        let refused = [&destination(address, prefix)[..], &only, &[reject()]];
        table.rule(OUTPUT, &refused.concat());
    }
    table
}

/// What the host answers to itself, each once: its addresses, and those that it broadcasts by.
fn hosts(routes: &[Route]) -> BTreeSet<(Ipv4Addr, u8)> {
    let own = routes.iter().filter(|route| !route.is_unicast);
    own.map(|route| (route.destination, route.prefix))
        // Not a host that prohibits everything it has no route to.
        .filter(|(_, prefix)| *prefix > 0)
        .collect()
}

/// Packets to this network.
fn destination(address: Ipv4Addr, prefix: u8) -> Vec<Expression> {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    let network = u32::from(address) & mask;
    vec![
        payload(NETWORK, DESTINATION, 4),
        Expression::new("bitwise")
            .number(1, REGISTER)
            .number(2, REGISTER)
            .number(3, 4)
            .value(4, &mask.to_be_bytes())
            .value(5, &[0; 4]),
        compare(EQUAL, &network.to_be_bytes()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_addresses_are_those_it_has_no_way_to() {
        let route = |destination: [u8; 4], prefix, is_unicast| Route {
            destination: destination.into(),
            prefix,
            out: Some(1),
            is_unicast,
        };
        let routes = [
            route([0, 0, 0, 0], 0, true),
            route([192, 0, 2, 0], 24, true),
            route([192, 0, 2, 255], 32, false),
            route([192, 0, 2, 2], 32, false),
            route([192, 0, 2, 2], 32, false),
            route([0, 0, 0, 0], 0, false),
        ];
        let expected = [([192, 0, 2, 2].into(), 32), ([192, 0, 2, 255].into(), 32)];
        assert_eq!(hosts(&routes), BTreeSet::from(expected));
    }
}
