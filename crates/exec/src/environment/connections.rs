//! What connects the server to an environment: the frame socket, the pipes, the sockets inside.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;

use sandbox::{Network, Stdio, Stream};

use crate::config::Outbound;
use crate::extensions::{COMMAND_FD, LauncherPipes, NEWS_FD, OUTPUT_FD};
use crate::frames::{CONTROL_FD, FrameSocket, LOG_FD};
use crate::function::FunctionSpec;
use crate::logs::Pipes;
use crate::runtimes::Family;

/// Port of the Runtime API inside environments, as in Lambda.
const RUNTIME_API_PORT: u16 = 9001;

/// The server's ends.
#[derive(Debug)]
pub(super) struct Connections {
    /// `None` where the Runtime API is spoken.
    pub(super) frames: Option<FrameSocket>,
    pub(super) pipes: Pipes,
    /// Where a launcher starts extensions and runtime.
    pub(super) launcher: Option<LauncherPipes>,
}

/// The program's ends.
#[derive(Debug)]
pub(super) struct ProgramEnds {
    stdout: OwnedFd,
    stderr: OwnedFd,
    inherit: Vec<(OwnedFd, i32)>,
}

/// What is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    /// Our own bootstrap.
    Own,
    /// AWS's client of a managed runtime, or ours where it has several events at once: the Runtime
    /// API, and log records.
    Managed,
    /// Whatever speaks the Runtime API.
    Any,
}

impl Client {
    pub(super) fn of(function: &FunctionSpec) -> Self {
        match function.runtime.family() {
            Family::Provided => Self::Any,
            Family::Java => Self::Managed,
            _ if function.managed.is_some() => Self::Managed,
            _ => Self::Own,
        }
    }
}

impl Connections {
    /// `launcher`: whether the program is started by a launcher.
    pub(super) fn open(client: Client, launcher: bool) -> io::Result<(Self, ProgramEnds)> {
        let (raw, stdout) = std::io::pipe()?;
        let stderr = stdout.try_clone()?.into();
        let mut inherit = Vec::new();
        let (mut socket, mut records) = (None, None);
        if client == Client::Own {
            let (ours, theirs) = FrameSocket::pair()?;
            inherit.push((theirs, CONTROL_FD));
            socket = Some(ours);
        }
        if client != Client::Any {
            let (reader, writer) = std::io::pipe()?;
            inherit.push((writer.into(), LOG_FD));
            records = Some(reader.into());
        }
        let mut launcher_pipes = None;
        if launcher {
            let (their_commands, commands) = std::io::pipe()?;
            let (news, their_news) = std::io::pipe()?;
            let (output, their_output) = std::io::pipe()?;
            inherit.push((their_commands.into(), COMMAND_FD));
            inherit.push((their_news.into(), NEWS_FD));
            inherit.push((their_output.into(), OUTPUT_FD));
            launcher_pipes = Some((commands.into(), news.into(), output.into()));
        }
        let (launcher, extensions) = match launcher_pipes {
            Some((commands, news, output)) => {
                (Some(LauncherPipes { commands, news }), Some(output))
            }
            None => (None, None),
        };
        let pipes = Pipes {
            raw: raw.into(),
            records,
            extensions,
        };
        let ends = ProgramEnds {
            stdout: stdout.into(),
            stderr,
            inherit,
        };
        Ok((
            Self {
                frames: socket,
                pipes,
                launcher,
            },
            ends,
        ))
    }
}

impl ProgramEnds {
    /// The standard streams, and further descriptors with their numbers.
    pub(super) fn into_parts(self) -> (Stdio, Vec<(OwnedFd, i32)>) {
        let stdio = Stdio {
            stdin: Stream::Null,
            stdout: Stream::Fd(self.stdout),
            stderr: Stream::Fd(self.stderr),
        };
        (stdio, self.inherit)
    }
}

/// Sockets that listen for the environment, by the names it knows them under.
#[derive(Debug)]
pub(super) struct Sockets {
    /// Those on the host's own network, where the environment has no other.
    on_host: Vec<TcpListener>,
    /// `host:port`.
    pub(super) runtime_api: String,
    /// `host:port`, where there is a gateway.
    pub(super) gateway: Option<String>,
}

impl Sockets {
    /// Sockets for the Runtime API, which extensions speak beside any runtime, and for the gateway if
    /// it has a port here.
    pub(super) fn open(outbound: Outbound, gateway: Option<u16>) -> io::Result<(Self, Network)> {
        let ports: Vec<u16> = std::iter::once(RUNTIME_API_PORT).chain(gateway).collect();
        let name = |port: u16| format!("127.0.0.1:{port}");
        if outbound != Outbound::Host {
            let sockets = Self {
                on_host: Vec::new(),
                runtime_api: name(RUNTIME_API_PORT),
                gateway: gateway.map(name),
            };
            let network = match outbound {
                Outbound::Nat => Network::Egress { listeners: ports },
                _ => Network::Isolated { listeners: ports },
            };
            return Ok((sockets, network));
        }
        let mut on_host = Vec::new();
        let mut names = Vec::new();
        for _ in &ports {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            names.push(name(listener.local_addr()?.port()));
            on_host.push(listener);
        }
        let gateway = gateway.and_then(|_| names.pop());
        let runtime_api = names.pop().unwrap_or_else(|| name(RUNTIME_API_PORT));
        Ok((
            Self {
                on_host,
                runtime_api,
                gateway,
            },
            Network::Host,
        ))
    }

    /// The listeners of the Runtime API and of the gateway, with those that the sandbox made.
    pub(super) fn listeners(
        self,
        in_sandbox: Vec<TcpListener>,
    ) -> (Option<TcpListener>, Option<TcpListener>) {
        let mut listeners = in_sandbox;
        listeners.extend(self.on_host);
        let gateway = self.gateway.and_then(|_| listeners.pop());
        (listeners.pop(), gateway)
    }
}
