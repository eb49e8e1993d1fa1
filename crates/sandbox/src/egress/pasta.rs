//! A way out without root: one `pasta` an environment, of passt, which carries the connections of a
//! network namespace on as an ordinary program's.
//!
//! An environment waits for it at a gate before its program runs. Whatever fails here leaves the
//! environment without a way out, never without its rules. <https://passt.top>

use std::fs::{self, File};
use std::io::{self, PipeWriter, Write};
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::EgressConfig;
use super::fence::Fence;
use super::link::{INSIDE, Links};
use super::nftables::Nftables;
use super::pool::Pool;
use super::resolv_conf::{self, Servers};
use super::resolver::Resolver;
use super::watch::Watch;
use crate::SandboxError;
use crate::plan::{Call, Phase, Plan};
use crate::worker::Worker;

/// Where distributions put it, should `PATH` not say.
const USUAL: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/bin"];
const TUN: &str = "/dev/net/tun";
/// It is there in hundredths of a second.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_micros(500);
/// Once more than this is in its log, the log begins anew.
const LONGEST_LOG: u64 = 1 << 20;

/// What the environments' ways out have in common.
#[derive(Debug)]
pub(crate) struct Pasta {
    program: PathBuf,
    pool: Pool,
    resolv_conf: PathBuf,
    log: PathBuf,
    /// Starts them all: the parent-death signal is bound to the thread that starts.
    starter: Worker<Errand>,
    resolver: Resolver,
    fences: Fences,
    /// Extends the fences when the host's addresses change.
    _watch: Watch,
}

/// Of all environments that live.
type Fences = Arc<Mutex<Vec<Weak<Fence>>>>;

type Errand = (Command, SyncSender<io::Result<Child>>);

/// One environment's `pasta`; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct WayOut {
    pasta: Child,
    /// Extended as long as there is a way out.
    _fence: Arc<Fence>,
}

/// Where an environment waits until its way out is there.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Number of the other end in init.
    inside: i32,
    writer: PipeWriter,
}

impl Pasta {
    /// Why there is none is told as the error's text.
    pub(super) fn open(folder: &Path, config: &EgressConfig) -> Result<Self, String> {
        let program = find().ok_or(
            "without root with CAP_NET_ADMIN it needs pasta, of the Debian package passt, which is not installed",
        )?;
        let open = File::options().read(true).write(true).open(TUN);
        open.map_err(|error| format!("pasta cannot open {TUN}: {error}"))?;
        let failed = |action: &'static str| move |error: io::Error| format!("{action}: {error}");
        Nftables::open().map_err(failed("open a socket for nf_tables"))?;
        let routes = Links::open().and_then(|links| links.routes());
        let routes = routes.map_err(failed("read the host's routes"))?;
        let pool =
            Pool::choose(0, &routes, &[]).ok_or("no private network is free on this host")?;
        let servers = Servers::of(config.resolv_conf.clone());
        let resolver = Resolver::start(Ipv4Addr::LOCALHOST, servers);
        let resolver = resolver.map_err(failed("start a resolver"))?;
        let resolv_conf = folder.join("resolv.conf");
        let host = fs::read_to_string(&config.resolv_conf).unwrap_or_default();
        let inside = resolv_conf::inside(Ipv4Addr::LOCALHOST, &host);
        crate::skeleton::file(&resolv_conf, inside.as_bytes())
            .map_err(failed("write a resolv.conf"))?;
        let starter = Worker::start("pasta", |errands: Receiver<Errand>| {
            for (mut command, answer) in errands {
                // Whoever asks waits for it.
                let _ = answer.send(command.spawn());
            }
        });
        let fences = Fences::default();
        let extended = Arc::clone(&fences);
        let watch = Watch::start(move || extend(&extended));
        Ok(Self {
            program,
            pool,
            resolv_conf,
            log: folder.join("pasta.log"),
            starter: starter.map_err(|error| error.to_string())?,
            resolver,
            fences,
            _watch: watch.map_err(failed("watch the host's addresses"))?,
        })
    }

    pub(super) fn resolv_conf(&self) -> &Path {
        &self.resolv_conf
    }

    /// What `kagero doctor` says.
    pub(super) fn describe(&self) -> String {
        format!("nat by {}, one an environment", self.program.display())
    }

    /// Gives the environment with this pid 1 a way out, by the sockets that it has opened in its
    /// network, for links and for rules, and lets it go on. Blocks for some hundredths of a second.
    pub(crate) fn lead_out(&self, pid: u32, sockets: [OwnedFd; 2], gate: &Gate) -> Option<WayOut> {
        let way = self
            .connect(pid, sockets)
            .inspect_err(|error| tracing::warn!(%error, "an environment has no way out"));
        // Fails only when it has ended, which shows elsewhere.
        let _ = (&gate.writer).write_all(&[1]);
        way.ok()
    }

    fn connect(&self, pid: u32, [links, rules]: [OwnedFd; 2]) -> io::Result<WayOut> {
        let (links, rules) = (Links::of(links)?, Nftables::of(rules)?);
        // Before there is a way out that they could be too late for.
        let fence = Arc::new(Fence::put_up(rules, self.pool.gateway())?);
        lock(&self.fences).push(Arc::downgrade(&fence));
        // Whatever changes after this look, the watch tells.
        fence.extend(&Links::open()?.routes()?)?;
        let (_, address) = self.pool.environment(0);
        let mut way = WayOut {
            pasta: self.start(pid, address)?,
            _fence: fence,
        };
        let begun = Instant::now();
        let index = loop {
            match links.inside() {
                Ok(index) => break index,
                Err(_) if begun.elapsed() < PATIENCE && way.pasta.try_wait()?.is_none() => {
                    thread::sleep(LOOK_AGAIN);
                }
                Err(_) => return Err(self.complaint()),
            }
        };
        // It makes the device first, and serves names after that.
        while !serves_names(pid) && begun.elapsed() < PATIENCE && way.pasta.try_wait()?.is_none() {
            thread::sleep(LOOK_AGAIN);
        }
        links.refuse_ipv6(index)?;
        links.make_way_out(index, address, self.pool.gateway())?;
        Ok(way)
    }

    fn start(&self, pid: u32, address: Ipv4Addr) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(["--foreground", "--quiet", "--ipv4-only", "--no-map-gw"]);
        command.args(["--no-dhcp", "--no-ndp", "--no-dhcpv6", "--no-ra"]);
        command.args(["-t", "none", "-u", "none", "--ns-ifname", INSIDE]);
        // Nothing of the host's but its resolver's relay, at the loopback's own port.
        let names = format!("53:{}", self.resolver.port());
        command.args(["-T", &names, "-U", &names]);
        let gateway = self.pool.gateway().to_string();
        command.args(["-a", &address.to_string(), "-n", "16", "-g", &gateway]);
        command.arg(pid.to_string());
        command.env_clear().current_dir("/");
        let log = File::options().create(true).append(true).open(&self.log)?;
        if log.metadata()?.len() > LONGEST_LOG {
            log.set_len(0)?;
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(log);
        let server = std::process::id();
        // SAFETY: two system calls, which allocate nothing and take no lock.
        unsafe {
            command.pre_exec(move || {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                if libc::getppid().cast_unsigned() == server {
                    Ok(())
                } else {
                    Err(io::ErrorKind::BrokenPipe.into())
                }
            });
        }
        let gone = || io::Error::other("the thread that starts pasta is gone");
        let (answer, answered) = sync_channel(1);
        self.starter.send((command, answer)).map_err(|_| gone())?;
        answered.recv().map_err(|_| gone())?
    }

    /// What it said last.
    fn complaint(&self) -> io::Error {
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        // What it says of its having no system log is not the reason.
        let last = said.lines().rfind(|line| !line.contains("syslog"));
        io::Error::other(format!("pasta: {}", last.unwrap_or("does not start")))
    }
}

impl Drop for WayOut {
    fn drop(&mut self) {
        let ended = self.pasta.kill().and_then(|()| self.pasta.wait());
        if let Err(error) = ended {
            tracing::warn!(%error, "end a pasta");
        }
    }
}

impl Gate {
    /// Its two ends: init is to inherit the first.
    pub(crate) fn pipe() -> Result<(io::PipeReader, PipeWriter), SandboxError> {
        io::pipe().map_err(SandboxError::host("make a gate"))
    }

    pub(crate) fn of(inside: i32, writer: PipeWriter) -> Self {
        Self { inside, writer }
    }

    /// Adds the steps that wait. Once the server is gone they wait no longer.
    pub(crate) fn add(&self, plan: &mut Plan) {
        let place = plan.slot();
        let wait = Call::new(libc::SYS_read).with_int(self.inside);
        let wait = wait.with(place).with(1);
        plan.push(Phase::Setup, "wait for the way out", wait);
        let close = Call::new(libc::SYS_close).with_int(self.inside);
        plan.push(Phase::Setup, "close the gate", close);
    }
}

/// Whether somebody listens at port 53 in the network of this process, by either protocol.
fn serves_names(pid: u32) -> bool {
    ["udp", "tcp"].iter().all(|protocol| {
        let sockets = fs::read_to_string(format!("/proc/{pid}/net/{protocol}"));
        let sockets = sockets.unwrap_or_default();
        let mut addresses = sockets.lines().map(|line| line.split_whitespace().nth(1));
        addresses.any(|own| own.is_some_and(|own| own.ends_with(":0035")))
    })
}

/// Puts what is new of the host's addresses out of the reach of all.
fn extend(fences: &Fences) {
    let living: Vec<_> = {
        let mut fences = lock(fences);
        fences.retain(|fence| fence.strong_count() > 0);
        fences.iter().filter_map(Weak::upgrade).collect()
    };
    let extended = Links::open().and_then(|links| {
        let routes = links.routes()?;
        living.iter().try_for_each(|fence| fence.extend(&routes))
    });
    if let Err(error) = extended {
        tracing::error!(%error, "keep new addresses of the host from environments");
    }
}

fn lock(fences: &Fences) -> MutexGuard<'_, Vec<Weak<Fence>>> {
    fences.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program, by `PATH` or at its usual place.
fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(USUAL.into_iter().map(PathBuf::from));
    folders
        .map(|folder| folder.join("pasta"))
        .find(|program| program.is_absolute() && program.is_file())
}
