//! Links, addresses and routes, by rtnetlink: one pair of virtual Ethernet devices an environment.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::netlink::{Answer, Message, Netlink, text};

/// Name of the device inside, as in Lambda and elsewhere.
pub(super) const INSIDE: &str = "eth0";

/// The address of a device on its link.
pub(super) type Mac = [u8; 6];

/// Of every device that leads to an environment, each of which is alone on its link: locally administered.
/// Both ends know each other and need not ask. A host may be told to answer for no address but a device's
/// own, and the kernel has room for some thousand that were asked for, in all networks together.
const GATEWAY_MAC: Mac = [0x02, b'k', b'a', b'g', b'e', b'r'];

const IFINFOMSG: usize = 16;
const RTMSG: usize = 12;

const CREATE: i32 = libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
const VETH_INFO_PEER: u16 = 1;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_NUM_TX_QUEUES: u16 = 31;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const IFLA_INET_CONF: u16 = 1;
const IPV4_DEVCONF_FORWARDING: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;

/// A route of the host, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) destination: Ipv4Addr,
    pub(super) prefix: u8,
    /// Index of the device it leads out of.
    pub(super) out: Option<u32>,
    /// To somewhere else, not to the host itself.
    pub(super) is_unicast: bool,
}

/// A socket for links and routes of one network namespace.
#[derive(Debug)]
pub(crate) struct Links(Netlink);

impl Links {
    /// Of the calling thread's network namespace.
    pub(crate) fn open() -> io::Result<Self> {
        Netlink::open(libc::NETLINK_ROUTE).map(Self)
    }

    /// By a socket that was opened in another network namespace.
    pub(super) fn of(socket: OwnedFd) -> io::Result<Self> {
        Netlink::of(socket).map(Self)
    }

    /// A pair of devices: `name` here, and `eth0` in that namespace, with this address on the link.
    pub(super) fn create_pair(
        &self,
        name: &str,
        namespace: BorrowedFd<'_>,
        inside: Mac,
    ) -> io::Result<()> {
        let namespace = namespace.as_raw_fd().cast_unsigned();
        let message = one_queue(
            Message::new(libc::RTM_NEWLINK, CREATE, &ifinfomsg(0, 0))
                .with_text(libc::IFLA_IFNAME, name)
                .with(libc::IFLA_ADDRESS, &GATEWAY_MAC),
        )
        .nest(IFLA_LINKINFO, |info| {
            info.with_text(IFLA_INFO_KIND, "veth")
                .nest(IFLA_INFO_DATA, |veth| {
                    veth.nest(VETH_INFO_PEER, |peer| {
                        one_queue(
                            peer.raw(&ifinfomsg(0, 0))
                                .with_text(libc::IFLA_IFNAME, INSIDE)
                                .with(libc::IFLA_ADDRESS, &inside),
                        )
                        .with_u32(IFLA_NET_NS_FD, namespace)
                    })
                })
        });
        self.0.request(message)
    }

    /// Gives a device this address, which is the host's then, whatever device it is asked for by. Those that
    /// lead to environments have none: the kernel keeps a list of all that have the same, and goes
    /// through all addresses that there are for each new one.
    pub(super) fn give_address(&self, index: u32, own: Ipv4Addr) -> io::Result<()> {
        self.refuse_ipv6(index)?;
        self.0.batch(vec![address(index, own, own), up(index)])
    }

    pub(super) fn bring_up(&self, index: u32) -> io::Result<()> {
        self.0.request(up(index))
    }

    /// Without a message, which the kernel would answer with all that it knows of the device.
    pub(super) fn index(&self, name: &str) -> io::Result<u32> {
        // SAFETY: integers and addresses only, for which zero is a value.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // The last byte stays the NUL that ends it.
        let room = request.ifr_name.len() - 1;
        for (to, from) in request.ifr_name[..room].iter_mut().zip(name.bytes()) {
            *to = from.cast_signed();
        }
        // SAFETY: a live socket and a whole request, which the kernel fills in.
        let result =
            unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the field that this request has filled.
        Ok(unsafe { request.ifr_ifru.ifru_ifindex }.cast_unsigned())
    }

    /// The index of the device inside, from inside.
    pub(super) fn inside(&self) -> io::Result<u32> {
        self.index(INSIDE)
    }

    /// Makes the end of a pair that is here a router's: it passes packets on, and leads to `far` alone,
    /// to which it is `own`.
    ///
    /// By IPv6 every device has an address that others on its link can reach, unless told not to;
    /// here nothing is to be reached, and IPv4 alone is passed on.
    pub(super) fn make_gateway(
        &self,
        index: u32,
        own: Ipv4Addr,
        (far, inside): (Ipv4Addr, Mac),
    ) -> io::Result<()> {
        let message = |has_ipv6: bool| {
            Message::new(libc::RTM_SETLINK, libc::NLM_F_ACK, &ifinfomsg(index, 0)).nest(
                IFLA_AF_SPEC,
                |families| {
                    let families = families.nest(libc::AF_INET as u16, |inet| {
                        inet.nest(IFLA_INET_CONF, |conf| {
                            conf.with_u32(IPV4_DEVCONF_FORWARDING, 1)
                        })
                    });
                    if !has_ipv6 {
                        return families;
                    }
                    families.nest(libc::AF_INET6 as u16, |inet6| {
                        inet6.with(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE])
                    })
                },
            )
        };
        match self.0.request(message(true)) {
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
                self.0.request(message(false))?;
            }
            outcome => outcome?,
        }
        let route = route(index, 32, libc::RT_SCOPE_LINK)
            .with(libc::RTA_DST, &far.octets())
            .with(libc::RTA_PREFSRC, &own.octets());
        self.0
            .batch(vec![up(index), route, neighbour(index, far, inside)])
    }

    /// Keeps a device, which is not up yet, from taking an IPv6 address by itself.
    pub(super) fn refuse_ipv6(&self, index: u32) -> io::Result<()> {
        let message = Message::new(libc::RTM_SETLINK, libc::NLM_F_ACK, &ifinfomsg(index, 0)).nest(
            IFLA_AF_SPEC,
            |families| {
                families.nest(libc::AF_INET6 as u16, |inet6| {
                    inet6.with(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE])
                })
            },
        );
        match self.0.request(message) {
            // A kernel without IPv6.
            Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => Ok(()),
            outcome => outcome,
        }
    }

    /// Makes the end inside the way to everywhere.
    pub(super) fn make_way_out(
        &self,
        index: u32,
        own: Ipv4Addr,
        gateway: Ipv4Addr,
    ) -> io::Result<()> {
        let default_route =
            route(index, 0, libc::RT_SCOPE_UNIVERSE).with(libc::RTA_GATEWAY, &gateway.octets());
        self.0.batch(vec![
            address(index, own, gateway),
            up(index),
            neighbour(index, gateway, GATEWAY_MAC),
            default_route,
        ])
    }

    /// Every IPv4 route, of all tables.
    pub(super) fn routes(&self) -> io::Result<Vec<Route>> {
        let message = Message::new(libc::RTM_GETROUTE, libc::NLM_F_DUMP, &rtmsg());
        Ok(self.0.dump(message)?.iter().filter_map(route_of).collect())
    }

    /// Every link: its index and name.
    pub(super) fn all(&self) -> io::Result<Vec<(u32, String)>> {
        let message = Message::new(libc::RTM_GETLINK, libc::NLM_F_DUMP, &ifinfomsg(0, 0));
        Ok(self.0.dump(message)?.iter().filter_map(link_of).collect())
    }

    /// Removes the links whose names begin so; those in use by others end with them.
    pub(super) fn remove_all(&self, prefix: &str) -> io::Result<()> {
        for (index, name) in self.all()? {
            if !name.starts_with(prefix) {
                continue;
            }
            let message = Message::new(libc::RTM_DELLINK, libc::NLM_F_ACK, &ifinfomsg(index, 0));
            match self.0.request(message) {
                // Its namespace ended meanwhile.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

/// Asks for a device with one queue each way. Without, the kernel makes one a processor and then, under
/// the lock that every change of a network waits for, closes all but the first: a round of all
/// processors for each device and direction.
fn one_queue(message: Message) -> Message {
    message
        .with_u32(IFLA_NUM_TX_QUEUES, 1)
        .with_u32(IFLA_NUM_RX_QUEUES, 1)
}

fn up(index: u32) -> Message {
    let header = ifinfomsg(index, libc::IFF_UP);
    Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK, &header)
}

/// Gives a device an address, and a route to the one other at its far end.
fn address(index: u32, own: Ipv4Addr, far: Ipv4Addr) -> Message {
    // struct ifaddrmsg: family, prefix length, flags, scope, index.
    let mut header = [libc::AF_INET as u8, 32, 0, 0, 0, 0, 0, 0];
    header[4..].copy_from_slice(&index.to_ne_bytes());
    Message::new(libc::RTM_NEWADDR, CREATE, &header)
        .with(libc::IFA_LOCAL, &own.octets())
        .with(libc::IFA_ADDRESS, &far.octets())
}

/// A route out of a device, to addresses that share as many bits.
fn route(out: u32, prefix: u8, scope: u8) -> Message {
    let mut header = rtmsg();
    header[1] = prefix;
    header[4] = libc::RT_TABLE_MAIN;
    header[5] = libc::RTPROT_STATIC;
    header[6] = scope;
    header[7] = libc::RTN_UNICAST;
    Message::new(libc::RTM_NEWROUTE, CREATE, &header).with_u32(libc::RTA_OIF, out)
}

/// Says for good who has an address on a link.
fn neighbour(index: u32, who: Ipv4Addr, mac: Mac) -> Message {
    // struct ndmsg: family, padding, index, state, flags, type.
    let mut header = [0; 12];
    header[0] = libc::AF_INET as u8;
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..10].copy_from_slice(&libc::NUD_PERMANENT.to_ne_bytes());
    Message::new(libc::RTM_NEWNEIGH, CREATE, &header)
        .with(libc::NDA_DST, &who.octets())
        .with(libc::NDA_LLADDR, &mac)
}

/// `struct ifinfomsg`, whose flags are set and asked to change.
fn ifinfomsg(index: u32, flags: i32) -> [u8; IFINFOMSG] {
    let mut header = [0; IFINFOMSG];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&flags.to_ne_bytes());
    header
}

fn rtmsg() -> [u8; RTMSG] {
    let mut header = [0; RTMSG];
    header[0] = libc::AF_INET as u8;
    header
}

fn link_of(answer: &Answer) -> Option<(u32, String)> {
    if answer.kind != libc::RTM_NEWLINK {
        return None;
    }
    let index = u32::from_ne_bytes(answer.body.get(4..8)?.try_into().ok()?);
    let name = answer.attribute(IFINFOMSG, libc::IFLA_IFNAME)?;
    Some((index, text(name).to_owned()))
}

fn route_of(answer: &Answer) -> Option<Route> {
    let is_ipv4 = answer.body.first() == Some(&(libc::AF_INET as u8));
    if answer.kind != libc::RTM_NEWROUTE || !is_ipv4 {
        return None;
    }
    let destination = answer.attribute(RTMSG, libc::RTA_DST);
    let destination: [u8; 4] = match destination {
        Some(address) => address.try_into().ok()?,
        None => [0; 4],
    };
    let out = answer.attribute(RTMSG, libc::RTA_OIF);
    let out = out.and_then(|index| index.try_into().ok());
    Some(Route {
        destination: destination.into(),
        prefix: *answer.body.get(1)?,
        out: out.map(u32::from_ne_bytes),
        is_unicast: *answer.body.get(7)? == libc::RTN_UNICAST,
    })
}
