//! What environments may reach, as rules of nf_tables.
//!
//! They reach the outside, under the host's address. They reach no service of the host, whatever
//! its address (but the resolver that the server runs for them), no other environment, no address
//! that means the machine itself, such as a cloud's metadata service, and nothing reaches them.

use std::net::Ipv4Addr;

use super::netlink::Message;
use super::nftables::{Expression, Hook, Table, rule};
use super::pool::Pool;

pub(super) const REGISTER: u32 = 1;
const PORT_REGISTER: u32 = 2;

const NAT_DESTINATION: u32 = 1;

const META_IIFNAME: u32 = 6;
pub(super) const META_OIFNAME: u32 = 7;
const META_L4PROTO: u32 = 16;
const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
const NEW: u32 = 8;
/// The destination was translated: a port that the host publishes for something behind it.
const DESTINATION_TRANSLATED: u32 = 1 << 5;

pub(super) const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
pub(super) const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
/// "Administratively prohibited": the caller learns at once, instead of waiting for a timeout.
const PROHIBITED: u8 = 13;

/// Look up the device that answers to the source would leave by, if it is the one it came by.
const FIB_DEVICE: u32 = 1;
const FIB_SOURCE: u32 = 1;
const FIB_BY_DEVICE: u32 = 1 << 3;

const UDP: u8 = 17;
pub(super) const TCP: u8 = 6;
const DNS: u16 = 53;

/// Before the host's own filters, which come at 0 and may still refuse what these let pass.
const FILTER: i32 = -10;
const RAW: i32 = -300;
const DESTINATION_NAT: i32 = -100;
const SOURCE_NAT: i32 = 100;

/// Metadata services and others of the machine's own that answer at public-looking addresses:
/// the address, the length of its network, and the TCP port if it is only one.
pub(super) const MACHINE: [(Ipv4Addr, u8, Option<u16>); 5] = [
    (Ipv4Addr::new(169, 254, 0, 0), 16, None),
    // Alibaba Cloud's metadata.
    (Ipv4Addr::new(100, 100, 100, 200), 32, None),
    // Azure's; on its other ports the same address is Azure's name server.
    (Ipv4Addr::new(168, 63, 129, 16), 32, Some(80)),
    (Ipv4Addr::new(168, 63, 129, 16), 32, Some(32526)),
    // Oracle Cloud's second address.
    (Ipv4Addr::new(192, 0, 0, 192), 32, None),
];

const FORWARD: &str = "forward";

/// The table of a server whose devices begin with `prefix`.
pub(super) fn table(name: &str, prefix: &str, pool: Pool, resolver: u16) -> Table {
    let mut table = Table::new(name);
    table.note(&note_of(pool));
    let from = from_device(prefix);
    let to = to_device(prefix);

    // A sender's address that is not the one its device leads to is forged.
    table.hook("forged", "filter", Hook::Prerouting, RAW);
    let way_back = [
        Expression::new("fib")
            .number(1, REGISTER)
            .number(2, FIB_DEVICE)
            .number(3, FIB_SOURCE | FIB_BY_DEVICE),
        compare(EQUAL, &[0; 4]),
    ];
    table.rule("forged", &[&from[..], &way_back, &[drop()]].concat());

    table.hook("resolver", "nat", Hook::Prerouting, DESTINATION_NAT);
    for protocol in [UDP, TCP] {
        let expressions = [
            &from[..],
            &destination(pool.gateway(), 32),
            &port(protocol, DNS),
            &lead_to(pool.gateway(), resolver),
        ];
        table.rule("resolver", &expressions.concat());
    }

    table.hook("input", "filter", Hook::Input, FILTER);
    for protocol in [UDP, TCP] {
        let expressions = [
            &from[..],
            &destination(pool.gateway(), 32),
            &port(protocol, resolver),
            &[accept()],
        ];
        table.rule("input", &expressions.concat());
    }
    table.rule("input", &[&from[..], &[reject()]].concat());

    table.hook(FORWARD, "filter", Hook::Forward, FILTER);
    // Whichever server's: the one whose chain comes first would drop it silently.
    let from_any = from_device(super::DEVICE_PREFIX);
    table.rule(FORWARD, &[&from_any[..], &to, &[reject()]].concat());
    let answers = connection(CT_STATE, ESTABLISHED_OR_RELATED, NOT_EQUAL);
    table.rule(FORWARD, &[&to[..], &answers, &[accept()]].concat());
    table.rule(FORWARD, &[&to[..], &[drop()]].concat());
    let published = connection(CT_STATUS, DESTINATION_TRANSLATED, NOT_EQUAL);
    table.rule(FORWARD, &[&from[..], &published, &[reject()]].concat());
    for (address, prefix, only) in MACHINE {
        let only = only.map(|number| port(TCP, number)).unwrap_or_default();
        let expressions = [&from[..], &destination(address, prefix), &only, &[reject()]];
        table.rule(FORWARD, &expressions.concat());
    }

    table.hook("masquerade", "nat", Hook::Postrouting, SOURCE_NAT);
    let masquerade = Expression::new("masq");
    table.rule("masquerade", &[&from[..], &[masquerade]].concat());
    table
}

/// A rule for a device that only this server lets forward: new connections from there go nowhere
/// but to what another program publishes, so that the host does not become a router.
pub(super) fn no_router(table: &str, prefix: &str, uplink: &str) -> Message {
    let mut name = uplink.as_bytes().to_vec();
    name.resize(libc::IFNAMSIZ, 0);
    let expressions = [
        &meta(META_IIFNAME, EQUAL, &name)[..],
        &meta(META_OIFNAME, NOT_EQUAL, prefix.as_bytes()),
        &connection(CT_STATE, NEW, NOT_EQUAL),
        &connection(CT_STATUS, DESTINATION_TRANSLATED, EQUAL),
        &[drop()],
    ];
    rule(table, FORWARD, &expressions.concat())
}

/// For a chain of another firewall, which comes after ours: whatever came so far may pass.
pub(super) fn may_come(prefix: &str) -> Vec<Expression> {
    [&from_device(prefix)[..], &[accept()]].concat()
}

/// The same for what goes to an environment.
pub(super) fn may_go(prefix: &str) -> Vec<Expression> {
    [&to_device(prefix)[..], &[accept()]].concat()
}

/// The chain that tells other servers which pool is in use.
fn note_of(pool: Pool) -> String {
    format!("pool-{}", pool.label())
}

/// The pool that a chain of this name tells of.
pub(super) fn noted(chain: &str) -> Option<Pool> {
    Pool::from_label(chain.strip_prefix("pool-")?)
}

fn from_device(prefix: &str) -> Vec<Expression> {
    meta(META_IIFNAME, EQUAL, prefix.as_bytes())
}

fn to_device(prefix: &str) -> Vec<Expression> {
    meta(META_OIFNAME, EQUAL, prefix.as_bytes())
}

pub(super) fn meta(key: u32, operation: u32, value: &[u8]) -> Vec<Expression> {
    vec![
        Expression::new("meta").number(1, REGISTER).number(2, key),
        compare(operation, value),
    ]
}

/// Packets to this network.
fn destination(address: Ipv4Addr, prefix: u8) -> Vec<Expression> {
    // Whole bytes of the address, which is all that the networks above need.
    let bytes = usize::from(prefix / 8);
    vec![
        payload(NETWORK, 16, bytes as u32),
        compare(EQUAL, &address.octets()[..bytes]),
    ]
}

/// Packets to this port.
pub(super) fn port(protocol: u8, port: u16) -> Vec<Expression> {
    let mut expressions = meta(META_L4PROTO, EQUAL, &[protocol]);
    expressions.push(payload(TRANSPORT, 2, 2));
    expressions.push(compare(EQUAL, &port.to_be_bytes()));
    expressions
}

/// Translates the destination.
fn lead_to(address: Ipv4Addr, port: u16) -> Vec<Expression> {
    let load = |register: u32, value: &[u8]| {
        Expression::new("immediate")
            .number(1, register)
            .value(2, value)
    };
    vec![
        load(REGISTER, &address.octets()),
        load(PORT_REGISTER, &port.to_be_bytes()),
        Expression::new("nat")
            .number(1, NAT_DESTINATION)
            .number(2, libc::NFPROTO_IPV4 as u32)
            .number(3, REGISTER)
            .number(5, PORT_REGISTER),
    ]
}

/// Packets of connections that have any of these bits, or with `EQUAL` none of them.
fn connection(key: u32, bits: u32, operation: u32) -> Vec<Expression> {
    vec![
        Expression::new("ct").number(1, REGISTER).number(2, key),
        Expression::new("bitwise")
            .number(1, REGISTER)
            .number(2, REGISTER)
            .number(3, 4)
            .value(4, &bits.to_ne_bytes())
            .value(5, &[0; 4]),
        compare(operation, &[0; 4]),
    ]
}

pub(super) fn payload(base: u32, offset: u32, length: u32) -> Expression {
    Expression::new("payload")
        .number(1, REGISTER)
        .number(2, base)
        .number(3, offset)
        .number(4, length)
}

pub(super) fn compare(operation: u32, value: &[u8]) -> Expression {
    Expression::new("cmp")
        .number(1, REGISTER)
        .number(2, operation)
        .value(3, value)
}

pub(super) fn accept() -> Expression {
    Expression::new("immediate")
        .number(1, 0)
        .verdict(2, libc::NF_ACCEPT)
}

fn drop() -> Expression {
    Expression::new("immediate")
        .number(1, 0)
        .verdict(2, libc::NF_DROP)
}

pub(super) fn reject() -> Expression {
    Expression::new("reject").number(1, 0).byte(2, PROHIBITED)
}
