//! What connects the server to an environment: the frame socket, the pipes, the sockets inside.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;

use sandbox::{Network, Spec, Stdio, Stream};

use crate::config::Outbound;
use crate::frames::{CONTROL_FD, FrameSocket, LOG_FD};
use crate::logs::Pipes;

/// Port of the Runtime API inside environments, as in Lambda.
const RUNTIME_API_PORT: u16 = 9001;

/// The server's ends.
#[derive(Debug)]
pub(super) struct Connections {
    /// `None` where the Runtime API is spoken.
    pub(super) frames: Option<FrameSocket>,
    pub(super) pipes: Pipes,
}

/// The program's ends.
#[derive(Debug)]
pub(super) struct ProgramEnds {
    stdout: OwnedFd,
    stderr: OwnedFd,
    inherit: Vec<(OwnedFd, i32)>,
}

impl Connections {
    /// `frames`: whether our own bootstrap is at the other end.
    pub(super) fn open(frames: bool) -> io::Result<(Self, ProgramEnds)> {
        let (raw, stdout) = std::io::pipe()?;
        let stderr = stdout.try_clone()?.into();
        let mut inherit = Vec::new();
        let (mut socket, mut records) = (None, None);
        if frames {
            let (ours, theirs) = FrameSocket::pair()?;
            let (reader, writer) = std::io::pipe()?;
            inherit.push((theirs, CONTROL_FD));
            inherit.push((writer.into(), LOG_FD));
            (socket, records) = (Some(ours), Some(reader.into()));
        }
        let pipes = Pipes {
            raw: raw.into(),
            records,
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
            },
            ends,
        ))
    }
}

impl ProgramEnds {
    pub(super) fn give_to(self, spec: &mut Spec) {
        spec.inherit = self.inherit;
        spec.stdio = Stdio {
            stdin: Stream::Null,
            stdout: Stream::Fd(self.stdout),
            stderr: Stream::Fd(self.stderr),
        };
    }
}

/// Sockets that listen for the environment, by the names it knows them under.
#[derive(Debug)]
pub(super) struct Sockets {
    /// Those on the host's own network, where the environment has no other.
    on_host: Vec<TcpListener>,
    /// `host:port`; set also where it is not spoken, since functions look for it.
    pub(super) runtime_api: String,
    /// `host:port`, where there is a gateway.
    pub(super) gateway: Option<String>,
}

impl Sockets {
    /// Sockets for the gateway if it has a port here, and for the Runtime API if it is spoken.
    pub(super) fn open(
        outbound: Outbound,
        runtime_api: bool,
        gateway: Option<u16>,
    ) -> io::Result<(Self, Network)> {
        let ports: Vec<u16> = runtime_api
            .then_some(RUNTIME_API_PORT)
            .into_iter()
            .chain(gateway)
            .collect();
        let name = |port: u16| format!("127.0.0.1:{port}");
        if outbound == Outbound::None {
            let sockets = Self {
                on_host: Vec::new(),
                runtime_api: name(RUNTIME_API_PORT),
                gateway: gateway.map(name),
            };
            return Ok((sockets, Network::Isolated { listeners: ports }));
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
