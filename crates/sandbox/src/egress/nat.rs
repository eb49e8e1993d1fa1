//! Outgoing connections by network address translation: one pair of devices an environment, one
//! table of rules a server.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::forwarding::{self, Forwarding};
use super::link::{Links, Mac};
use super::nftables::Nftables;
use super::pool::Pool;
use super::resolv_conf::{self, Servers};
use super::resolver::Resolver;
use super::{EgressConfig, firewall, rules};
use crate::SandboxError;
use crate::network::PreparedNetwork;

/// What the names of all servers' tables begin with.
pub(super) const TABLES: &str = "kagero-";
/// An earlier server of the same name may be about to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// A laptop that joins another network has new devices soon enough.
const LOOK_FOR_UPLINKS: Duration = Duration::from_secs(5);
/// Numbers that are tried for one environment, where old ones live on.
const ATTEMPTS: usize = 256;

/// What stands between the environments of one server and the outside.
#[derive(Debug)]
pub(crate) struct Nat {
    /// One request at a time: a socket's answers belong to whoever asked last.
    links: Mutex<Links>,
    nftables: Nftables,
    table: String,
    prefix: String,
    pool: Pool,
    /// Where the device with the gateway's address ends.
    gateway: Option<PreparedNetwork>,
    next: AtomicU64,
    forwarding: Forwarding,
    uplinks: Mutex<Uplinks>,
    resolv_conf: PathBuf,
    /// Ends before the rules that lead to it.
    _resolver: Resolver,
}

#[derive(Debug)]
struct Uplinks {
    looked: Option<Instant>,
    /// Those that forward only because of Kagero, and have their rule.
    guarded: BTreeSet<String>,
}

impl Nat {
    /// Makes the rules; the server's former ones ended with it.
    pub(super) fn open(
        instance: &str,
        folder: &Path,
        config: &EgressConfig,
    ) -> Result<Self, SandboxError> {
        let seed = hash(instance);
        let name = format!("{:08x}", seed >> 32);
        let (table, prefix) = (format!("{TABLES}{name}"), super::device_prefix(&name));
        let links = Links::open().map_err(SandboxError::host("open a socket for links"))?;
        links
            .remove_all(&prefix)
            .map_err(SandboxError::host("remove links of an earlier server"))?;
        let nftables =
            Nftables::open().map_err(SandboxError::host("open a socket for nf_tables"))?;
        let (pool, resolver) = create(&nftables, &links, &table, &prefix, seed, config)
            .map_err(SandboxError::host("make a table of nf_tables"))?;
        let mut nat = Self {
            links: Mutex::new(links),
            nftables,
            table,
            prefix,
            pool,
            gateway: None,
            next: AtomicU64::new(0),
            forwarding: Forwarding::open()
                .map_err(SandboxError::host("note which devices forward"))?,
            uplinks: Mutex::new(Uplinks {
                looked: None,
                guarded: BTreeSet::new(),
            }),
            resolv_conf: folder.join("resolv.conf"),
            _resolver: resolver,
        };
        nat.create_gateway()?;
        nat.look_for_uplinks()
            .map_err(SandboxError::host("let devices forward"))?;
        let host = fs::read_to_string(&config.resolv_conf).unwrap_or_default();
        let inside = resolv_conf::inside(pool.gateway(), &host);
        crate::skeleton::file(&nat.resolv_conf, inside.as_bytes())
            .map_err(SandboxError::host("write a resolv.conf"))?;
        Ok(nat)
    }

    pub(super) fn resolv_conf(&self) -> &Path {
        &self.resolv_conf
    }

    /// Makes a network with a way out. Blocks for about a millisecond.
    pub(crate) fn network(&self, ports: &[u16]) -> Result<PreparedNetwork, SandboxError> {
        self.connected(PreparedNetwork::make_with_links(ports)?)
    }

    /// The same of a namespace that is there already, and empty.
    pub(super) fn furnish(
        &self,
        namespace: &OwnedFd,
        ports: &[u16],
    ) -> Result<PreparedNetwork, SandboxError> {
        self.connected(PreparedNetwork::furnish_with_links(namespace, ports)?)
    }

    fn connected(
        &self,
        (mut network, inside): (PreparedNetwork, Links),
    ) -> Result<PreparedNetwork, SandboxError> {
        self.connect(&network, &inside)
            .map_err(SandboxError::host("connect a network namespace"))?;
        network.resolv_conf = Some(self.resolv_conf.clone());
        Ok(network)
    }

    /// What `kagero doctor` says.
    pub(super) fn describe(&self) -> String {
        let pool = self.pool.label();
        format!("nat by nf_tables, from addresses in {pool}.0.0/16")
    }

    fn connect(&self, network: &PreparedNetwork, inside: &Links) -> io::Result<()> {
        self.look_for_uplinks()?;
        let address = {
            let links = lock(&self.links);
            let inside = any_mac();
            let (name, address) = self.create_pair(&links, network, inside)?;
            let index = links.index(&name)?;
            links.make_gateway(index, self.pool.gateway(), (address, inside))?;
            address
        };
        inside.make_way_out(inside.inside()?, address, self.pool.gateway())
    }

    /// Makes the device that has the gateway's address. Its other end is in a network where nobody is, and
    /// which ends with this: however the server ends, the device goes too.
    fn create_gateway(&mut self) -> Result<(), SandboxError> {
        // No environment's number, which is four hexadecimal digits.
        let name = format!("{}gate", self.prefix);
        let (network, inside) = PreparedNetwork::make_with_links(&[])?;
        let create = || -> io::Result<()> {
            let links = lock(&self.links);
            links.create_pair(&name, network.namespace.as_fd(), any_mac())?;
            inside.bring_up(inside.inside()?)?;
            links.give_address(links.index(&name)?, self.pool.gateway())
        };
        create().map_err(SandboxError::host("give the gateway its address"))?;
        self.gateway = Some(network);
        Ok(())
    }

    /// Under the next number that no living environment has.
    fn create_pair(
        &self,
        links: &Links,
        network: &PreparedNetwork,
        inside: Mac,
    ) -> io::Result<(String, std::net::Ipv4Addr)> {
        for _ in 0..ATTEMPTS {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let (number, address) = self.pool.environment(number);
            let name = format!("{}{number:04x}", self.prefix);
            match links.create_pair(&name, network.namespace.as_fd(), inside) {
                Ok(()) => return Ok((name, address)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AddrInUse.into())
    }

    /// Lets the answers in, by whatever device leads to the outside now.
    fn look_for_uplinks(&self) -> io::Result<()> {
        let mut uplinks = lock(&self.uplinks);
        let is_fresh = |looked: Instant| looked.elapsed() < LOOK_FOR_UPLINKS;
        if uplinks.looked.is_some_and(is_fresh) {
            return Ok(());
        }
        let devices = forwarding::uplinks(&lock(&self.links))?;
        let ours = self.forwarding.enable(&devices)?;
        let unguarded: Vec<_> = ours.difference(&uplinks.guarded).cloned().collect();
        if !unguarded.is_empty() {
            let rule = |device: &String| rules::no_router(&self.table, &self.prefix, device);
            self.nftables.append(unguarded.iter().map(rule).collect())?;
            uplinks.guarded.extend(unguarded);
        }
        // Not ours to insist on: a firewall may keep its rules from everybody.
        if let Err(error) = firewall::pass(&self.nftables, &self.prefix) {
            tracing::warn!(%error, "let environments pass the host's own firewall");
        }
        uplinks.looked = Some(Instant::now());
        Ok(())
    }

    fn remove(&self) -> io::Result<()> {
        // Each whatever becomes of the others.
        let links = lock(&self.links).remove_all(&self.prefix);
        let passes = firewall::forget(&self.nftables, &self.prefix);
        let table = self.nftables.remove(&self.table);
        let forwarding = self.forwarding.restore(|| {
            let chains = self.nftables.chains()?;
            Ok(chains.iter().any(|chain| chain.table.starts_with(TABLES)))
        });
        links.and(passes).and(table).and(forwarding)
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(%error, "remove the way out of environments");
        }
    }
}

/// Chooses a pool that nobody has, and makes the table before anybody takes it.
fn create(
    nftables: &Nftables,
    links: &Links,
    table: &str,
    prefix: &str,
    seed: u64,
    config: &EgressConfig,
) -> io::Result<(Pool, Resolver)> {
    let begun = Instant::now();
    loop {
        let generation = nftables.generation()?;
        let chains = nftables.chains()?;
        let taken: Vec<_> = chains
            .iter()
            .filter(|chain| chain.table.starts_with(TABLES))
            .filter_map(|chain| rules::noted(&chain.name))
            .collect();
        let pool = Pool::choose(seed, &links.routes()?, &taken)
            .ok_or_else(|| io::Error::other("no private network is free on this host"))?;
        let servers = Servers::of(config.resolv_conf.clone());
        let resolver = Resolver::start(pool.gateway(), servers)?;
        let rules = rules::table(table, prefix, pool, resolver.port());
        match nftables.create(rules, generation) {
            Ok(()) => return Ok((pool, resolver)),
            Err(error) if begun.elapsed() < PATIENCE && is_passing(&error) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Others changed the rules meanwhile, or the server's former self is still ending.
fn is_passing(error: &io::Error) -> bool {
    let passing = [libc::ERESTART, libc::EEXIST, libc::EPERM, libc::EBUSY];
    error
        .raw_os_error()
        .is_some_and(|code| passing.contains(&code))
}

/// Locally administered, of one device alone, and no other's: functions make names of it.
fn any_mac() -> Mac {
    let [first, second, third, fourth, fifth, ..] = RandomState::new().hash_one(()).to_ne_bytes();
    [0x02, first, second, third, fourth, fifth]
}

/// FNV-1a: the same after a restart.
fn hash(instance: &str) -> u64 {
    instance.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
