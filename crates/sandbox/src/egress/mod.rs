//! How environments reach the outside: by the host's network address translation, or not at all.

mod fence;
mod firewall;
mod forwarding;
mod link;
mod nat;
mod netlink;
mod nftables;
mod pasta;
mod pool;
mod resolv_conf;
mod resolver;
mod rules;
mod socket;
mod watch;

use std::error::Error;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::doctor::Finding;
use crate::host::Inner;
use crate::network::PreparedNetwork;
use crate::spec::Network;
use crate::{SandboxError, privilege};

pub(crate) use link::Links;
pub(crate) use nat::Nat;
pub(crate) use pasta::{Gate, Pasta, WayOut};

const CAP_NET_ADMIN: u32 = 12;

/// What the names of all servers' devices begin with.
const DEVICE_PREFIX: &str = "kg";
/// Length of a device's name: prefix, the server, a dash, the environment's number.
const DEVICE_NAME: usize = 2 + 8 + 1 + 4;

/// A way out for environments that ask for one with [`Network::Egress`].
#[derive(Debug, Clone)]
pub struct EgressConfig {
    /// Names the resolvers that environments' questions are passed on to.
    pub resolv_conf: PathBuf,
}

impl Default for EgressConfig {
    /// The host's own resolvers.
    fn default() -> Self {
        Self {
            resolv_conf: PathBuf::from("/etc/resolv.conf"),
        }
    }
}

/// What there is of it on this host.
#[derive(Debug)]
pub(crate) enum Egress {
    /// Nobody wants any.
    Off,
    Nat(Box<Nat>),
    /// Without root.
    Pasta(Box<Pasta>),
    /// And why.
    Unavailable(String),
}

impl Egress {
    /// Prepares what all environments share. Blocks for some milliseconds.
    pub(crate) fn open(instance: &str, folder: &Path, config: Option<&EgressConfig>) -> Self {
        let Some(config) = config else {
            return Self::Off;
        };
        if !privilege::is_root() {
            return match Pasta::open(folder, config) {
                Ok(pasta) => Self::Pasta(Box::new(pasta)),
                Err(why) => Self::unavailable(why),
            };
        }
        if !privilege::has(CAP_NET_ADMIN) {
            return Self::unavailable(String::from("it needs root with CAP_NET_ADMIN"));
        }
        match Nat::open(instance, folder, config) {
            Ok(nat) => Self::Nat(Box::new(nat)),
            Err(error) => {
                let cause = error.source().map(ToString::to_string);
                Self::unavailable(format!("{error}: {}", cause.unwrap_or_default()))
            }
        }
    }

    fn unavailable(why: String) -> Self {
        tracing::warn!(why, "functions do not reach the outside, only this server");
        Self::Unavailable(why)
    }

    /// Why environments that ask for a way out have none.
    pub(crate) fn missing(&self) -> Option<&str> {
        match self {
            Self::Off => Some("it is turned off"),
            Self::Nat(_) | Self::Pasta(_) => None,
            Self::Unavailable(why) => Some(why),
        }
    }

    /// What leads out an environment whose network comes into being with it.
    pub(crate) fn pasta(&self) -> Option<&Pasta> {
        match self {
            Self::Pasta(pasta) => Some(pasta),
            Self::Off | Self::Nat(_) | Self::Unavailable(_) => None,
        }
    }

    /// A network with a way out, made ahead; `None` where there is none to be had.
    pub(crate) fn network(&self, ports: &[u16]) -> Result<Option<PreparedNetwork>, SandboxError> {
        match self {
            Self::Nat(nat) => nat.network(ports).map(Some),
            Self::Off | Self::Pasta(_) | Self::Unavailable(_) => Ok(None),
        }
    }

    /// The same in a namespace that is there already; isolated where there is none to be had.
    pub(crate) fn furnish(
        &self,
        namespace: &OwnedFd,
        ports: &[u16],
    ) -> Result<PreparedNetwork, SandboxError> {
        match self {
            Self::Nat(nat) => nat.furnish(namespace, ports),
            Self::Off | Self::Pasta(_) | Self::Unavailable(_) => {
                PreparedNetwork::furnish(namespace, ports)
            }
        }
    }

    /// What environments with a way out find as `/etc/resolv.conf`.
    pub(crate) fn resolv_conf(&self) -> Option<&Path> {
        match self {
            Self::Nat(nat) => Some(nat.resolv_conf()),
            Self::Pasta(pasta) => Some(pasta.resolv_conf()),
            Self::Off | Self::Unavailable(_) => None,
        }
    }

    pub(crate) fn finding(&self) -> Finding {
        let detail = match self {
            Self::Off => String::from("not asked for: environments reach only the gateway"),
            Self::Nat(nat) => nat.describe(),
            Self::Pasta(pasta) => pasta.describe(),
            Self::Unavailable(why) => {
                format!("environments reach only the gateway, not the outside: {why}")
            }
        };
        Finding {
            feature: "egress",
            available: self.missing().is_none(),
            detail,
        }
    }
}

/// The network that a spec asks for, with its way out where that can be had; still
/// [`Network::Egress`] where `pasta` has to give it one.
pub(crate) fn provide(inner: &Inner, network: Network) -> Result<Network, SandboxError> {
    let Network::Egress { listeners } = network else {
        return Ok(network);
    };
    let egress = inner.egress.get()?;
    if egress.pasta().is_some() {
        return Ok(Network::Egress { listeners });
    }
    if egress.missing().is_none()
        && let Some(ready) = inner.stock.network(&listeners, true)
    {
        return Ok(Network::Prepared(ready));
    }
    Ok(match egress.network(&listeners)? {
        Some(mut prepared) => {
            prepared.home = inner.stock.home(&listeners, true);
            Network::Prepared(prepared)
        }
        None => Network::Isolated { listeners },
    })
}

/// What the names of a server's devices begin with.
fn device_prefix(server: &str) -> String {
    format!("{DEVICE_PREFIX}{server}-")
}

/// Whether a device belongs to an environment of this or another server.
fn is_own_device(name: &str) -> bool {
    name.len() == DEVICE_NAME && name.starts_with(DEVICE_PREFIX) && name.as_bytes()[10] == b'-'
}
