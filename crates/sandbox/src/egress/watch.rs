//! Tells when the host's addresses or routes change.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::netlink::Netlink;
use crate::eventfd;

/// `RTMGRP_IPV4_IFADDR` and `RTMGRP_IPV4_ROUTE`.
const GROUPS: u32 = 0x10 | 0x40;

const STOP: u64 = 0;
const CHANGE: u64 = 1;

/// The watching thread; ends when it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Calls this after every change, in the calling thread's network namespace.
    pub(super) fn start(changed: impl Fn() + Send + 'static) -> io::Result<Self> {
        let netlink = Netlink::open(libc::NETLINK_ROUTE)?;
        netlink.join(GROUPS)?;
        let stop = Arc::new(eventfd::create()?);
        let epoll = eventfd::epoll()?;
        let readable = libc::EPOLLIN as u32;
        eventfd::add(&epoll, stop.as_raw_fd(), readable, STOP)?;
        eventfd::add(&epoll, netlink.as_raw_fd(), readable, CHANGE)?;
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name(String::from("addresses"))
            .spawn(move || {
                let _stopped = stopped;
                loop {
                    match eventfd::wait(&epoll, -1) {
                        Ok(keys) if keys.contains(&STOP) => return,
                        Ok(_) => {}
                        Err(error) => {
                            tracing::error!(%error, "wait for changes of the host's addresses");
                            return;
                        }
                    }
                    netlink.drain();
                    changed();
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        eventfd::ring(&self.stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watches the host's addresses panicked");
        }
    }
}
