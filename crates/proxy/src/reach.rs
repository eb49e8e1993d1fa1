//! Which addresses the server's own requests may be sent to.
//!
//! It sends them from the host, where loopback and the cloud's metadata are: what functions are
//! kept from must not be had by way of an API, a subscription or a destination that they make.
//! Names are judged by the addresses that they resolve to, and only those are connected to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use service::Reach;
use tower_service::Service;

/// What functions reach by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Egress {
    /// Nothing: what is sent for them goes to public addresses only.
    #[default]
    None,
    /// All but this machine, its environments, and what a cloud tells the machine alone.
    Nat,
    /// Whatever this machine reaches.
    Host,
}

/// The addresses of a reach. Until it is known how far functions reach, they reach nothing.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) reach: Reach,
    pub(crate) functions: Arc<OnceLock<Egress>>,
}

impl Rules {
    /// Why a request must not be sent to this address.
    pub(crate) fn refusal(&self, address: IpAddr) -> Option<&'static str> {
        let functions = self.functions.get().copied().unwrap_or_default();
        refusal(self.reach, functions, address, machine)
    }

    /// Why a URI's host, where it is an address, must not be sent a request.
    pub(crate) fn refusal_of_literal(&self, host: &str) -> Option<String> {
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let address: IpAddr = host.parse().ok()?;
        Some(refused(host, address, self.refusal(address)?))
    }

    fn allowed(
        &self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> io::Result<Vec<SocketAddr>> {
        let mut why = None;
        let mut allowed = Vec::new();
        for socket in found {
            match self.refusal(socket.ip()) {
                Some(reason) => why = Some(refused(host, socket.ip(), reason)),
                None => allowed.push(socket),
            }
        }
        match why {
            Some(why) if allowed.is_empty() => {
                Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
            }
            _ => Ok(allowed),
        }
    }
}

fn refused(host: &str, address: IpAddr, why: &str) -> String {
    tracing::warn!(host, %address, why, "a request was not sent");
    format!("{host} is not within reach: {address} {why}")
}

/// How this machine is related to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    Itself,
    Environment,
    Other,
}

fn refusal(
    reach: Reach,
    functions: Egress,
    address: IpAddr,
    machine: impl Fn(IpAddr) -> Machine,
) -> Option<&'static str> {
    let address = embedded(address);
    if is_link_local(address) {
        return Some("is link-local, where machines are told their secrets");
    }
    if reach == Reach::Anywhere || functions == Egress::Host {
        return None;
    }
    if address.is_loopback() || is_unspecified(address) {
        return Some("is this machine");
    }
    if is_metadata(address) {
        return Some("is for the machine itself");
    }
    match machine(address) {
        Machine::Itself => return Some("is this machine"),
        Machine::Environment => return Some("is an environment"),
        Machine::Other => {}
    }
    if is_multicast(address) {
        return Some("is no one server");
    }
    (functions == Egress::None && is_private(address))
        .then_some("is of a private network, which functions do not reach")
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, translated (RFC 6052), or
/// by 6to4.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        // `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => v4(high, low),
        _ => address,
    }
}

/// With AWS's metadata over IPv6, which is as good as link-local.
fn is_link_local(address: IpAddr) -> bool {
    const AWS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6 == AWS,
    }
}

/// All of `0.0.0.0/8` is this machine, or nothing.
fn is_unspecified(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets()[0] == 0,
        IpAddr::V6(v6) => v6.is_unspecified(),
    }
}

fn is_multicast(address: IpAddr) -> bool {
    let is_broadcast = address == IpAddr::V4(Ipv4Addr::BROADCAST);
    is_broadcast || address.is_multicast()
}

/// What answers at public-looking addresses for the machine alone, as `sandbox`'s rules have it.
fn is_metadata(address: IpAddr) -> bool {
    const OTHERS: [Ipv4Addr; 3] = [
        // Alibaba Cloud's, Azure's and Oracle Cloud's.
        Ipv4Addr::new(100, 100, 100, 200),
        Ipv4Addr::new(168, 63, 129, 16),
        Ipv4Addr::new(192, 0, 0, 192),
    ];
    matches!(address, IpAddr::V4(v4) if OTHERS.contains(&v4))
}

/// RFC 1918, RFC 6598, the protocol assignments and benchmarks of IPv4; unique local and site-local
/// addresses of IPv6.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_private()
                || matches!(
                    v4.octets(),
                    [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18 | 19, ..] | [240..=255, ..]
                )
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.segments()[0] & 0xffc0 == 0xfec0,
    }
}

/// Asks the kernel: a socket can be bound to what is the machine's own, and what goes to an
/// environment leaves by the gateway of its pool. Nothing is sent.
fn machine(address: IpAddr) -> Machine {
    if UdpSocket::bind((address, 0)).is_ok() {
        return Machine::Itself;
    }
    let unspecified: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let leaves_by = UdpSocket::bind((unspecified, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    match leaves_by.map(|socket| socket.ip()) {
        Ok(source) if source == address => Machine::Itself,
        Ok(source) if is_gateway(source, address) => Machine::Environment,
        _ => Machine::Other,
    }
}

/// Whether an address is the gateway of the pool of environments that the other is of: `.0.1` of
/// the /16.
fn is_gateway(source: IpAddr, environment: IpAddr) -> bool {
    let (IpAddr::V4(source), IpAddr::V4(environment)) = (source, environment) else {
        return false;
    };
    let ([a, b, c, d], [first, second, ..]) = (source.octets(), environment.octets());
    [a, b] == [first, second] && [c, d] == [0, 1] && is_private(IpAddr::V4(source))
}

/// Names, as the addresses of theirs that are within reach.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(pub(crate) Rules);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let rules = self.0.clone();
        Box::pin(async move {
            // The connector puts its port in place of this one.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(rules.allowed(name.as_str(), found)?.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(reach: Reach, functions: Egress, address: &str) -> bool {
        let address = address.parse().unwrap();
        refusal(reach, functions, address, |_| Machine::Other).is_some()
    }

    const LINK_LOCAL: [&str; 9] = [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "febf::1",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
    ];
    const HERE: [&str; 13] = [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
    ];
    const PRIVATE: [&str; 10] = [
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "fc00::1",
        "fd12::1",
        "::ffff:10.1.2.3",
        "2002:c0a8:0101::1",
    ];
    const PUBLIC: [&str; 7] = [
        "1.1.1.1",
        "172.32.0.1",
        "100.128.0.1",
        "169.253.0.1",
        "192.169.0.1",
        "2606:4700::1111",
        "::ffff:1.1.1.1",
    ];

    #[test]
    fn link_local_addresses_are_within_nobodys_reach() {
        for address in LINK_LOCAL {
            for reach in [Reach::Anywhere, Reach::Function] {
                for functions in [Egress::None, Egress::Nat, Egress::Host] {
                    assert!(is_refused(reach, functions, address), "{address}");
                }
            }
        }
    }

    #[test]
    fn others_may_be_sent_anything() {
        for address in HERE.iter().chain(&PRIVATE).chain(&PUBLIC) {
            assert!(
                !is_refused(Reach::Anywhere, Egress::None, address),
                "{address}"
            );
            assert!(
                !is_refused(Reach::Function, Egress::Host, address),
                "{address}"
            );
        }
    }

    #[test]
    fn functions_reach_no_more_than_by_themselves() {
        for address in HERE {
            for functions in [Egress::None, Egress::Nat] {
                assert!(is_refused(Reach::Function, functions, address), "{address}");
            }
        }
        for address in PRIVATE {
            assert!(
                is_refused(Reach::Function, Egress::None, address),
                "{address}"
            );
            assert!(
                !is_refused(Reach::Function, Egress::Nat, address),
                "{address}"
            );
        }
        for address in PUBLIC {
            assert!(
                !is_refused(Reach::Function, Egress::None, address),
                "{address}"
            );
        }
        assert!(is_refused(Reach::Function, Egress::Nat, "224.0.0.1"));
        assert!(is_refused(Reach::Function, Egress::Nat, "255.255.255.255"));
    }

    #[test]
    fn the_machine_and_its_environments_are_not_reached_whatever_their_addresses() {
        let address: IpAddr = "203.0.113.7".parse().unwrap();
        for own in [Machine::Itself, Machine::Environment] {
            for functions in [Egress::None, Egress::Nat] {
                assert!(refusal(Reach::Function, functions, address, |_| own).is_some());
            }
            assert_eq!(
                refusal(Reach::Anywhere, Egress::None, address, |_| own),
                None
            );
        }
    }

    #[test]
    fn the_kernel_knows_the_machines_own_addresses() {
        assert_eq!(machine("127.0.0.1".parse().unwrap()), Machine::Itself);
        // A documentation address, which is nobody's.
        assert_eq!(machine("203.0.113.7".parse().unwrap()), Machine::Other);
        // By which it would leave for elsewhere.
        let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
        if socket.connect(("203.0.113.7", 9)).is_ok() {
            let own = socket.local_addr().unwrap().ip();
            assert_eq!(machine(own), Machine::Itself, "{own}");
        }
    }

    #[test]
    fn an_environment_is_known_by_its_gateway() {
        let of = |source: &str, to: &str| is_gateway(source.parse().unwrap(), to.parse().unwrap());
        assert!(of("10.213.0.1", "10.213.4.5"));
        assert!(!of("10.212.0.1", "10.213.4.5"));
        assert!(!of("10.213.0.2", "10.213.4.5"));
        assert!(!of("8.8.0.1", "8.8.4.4"));
    }

    #[test]
    fn of_a_name_the_addresses_within_reach_are_left() {
        let rules = Rules {
            reach: Reach::Function,
            functions: Arc::default(),
        };
        let sockets = |all: &[&str]| -> Vec<SocketAddr> {
            let all = all.iter().map(|it| SocketAddr::new(it.parse().unwrap(), 0));
            all.collect()
        };
        let allowed = |all: &[&str]| rules.allowed("name", sockets(all).into_iter());
        assert_eq!(
            allowed(&["127.0.0.1", "203.0.113.7"]).unwrap(),
            sockets(&["203.0.113.7"])
        );
        let why = allowed(&["::1", "127.0.0.1"]).unwrap_err().to_string();
        assert_eq!(why, "name is not within reach: 127.0.0.1 is this machine");
        assert!(allowed(&[]).unwrap().is_empty());
    }
}
