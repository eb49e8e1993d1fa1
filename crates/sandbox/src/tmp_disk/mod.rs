//! `/tmp` on disk: a file system of its own for each environment, with a hard limit on its size.
//!
//! As root, a sparse image behind a loop device, mounted where nobody else sees it and moved into
//! the environment at its start. What is written there is not the function's memory, as the page
//! cache can be taken back; what goes beyond the size is answered with ENOSPC, as in Lambda; and
//! every part of it, image, device and mount, ends with the descriptors that the server holds, so
//! a killed server leaves nothing. Where that cannot be had, `/tmp` is a tmpfs.
//! The reasons are in `docs/decisions/0009-tmp.md`.

mod image;
mod kernel;
mod watch;

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::later::Later;
use crate::worker::Worker;
use crate::{Finding, SandboxError};
use image::{Disk, Template};
use watch::DiskWatch;

/// The most that Lambda gives: 10,240 MB.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html>
pub(crate) const LARGEST: u64 = 10_240 << 20;

/// Block size of these file systems.
const BLOCK: u64 = 4096;

/// Untouched disks kept for the next environments, for each that is to be ready anyway.
const SPARE: usize = 4;

/// Making disks waits until none was taken for so long: a burst has the processors, and does with
/// memory when all that were ready are taken; but where starts never cease, no longer than that.
const LULL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(4);

/// Threads that take disks apart, which is waiting for the kernel for the most part.
const REMOVERS: usize = 4;

/// What a file system has.
#[derive(Debug, Clone, Copy)]
struct Space {
    kind: i64,
    total_bytes: u64,
    free_bytes: u64,
    /// To those who are not root.
    available_bytes: u64,
}

/// Makes disks, keeps some ready, and watches over the host's own disk.
#[derive(Debug)]
pub(crate) struct TmpDisks {
    shelf: Arc<Shelf>,
    taken: Worker<More>,
}

/// When more disks are to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    InALull,
    /// If there is none left: the next start would have to make its own.
    AtOnce,
}

#[derive(Debug)]
struct Shelf {
    template: Later<Template>,
    ready: Mutex<Vec<Arc<Disk>>>,
    watch: Mutex<Option<Arc<DiskWatch>>>,
    /// Started by the first disk that is to be taken apart.
    removers: OnceLock<Vec<Worker<Arc<Disk>>>>,
    removed: AtomicUsize,
    depth: usize,
}

/// The disk of one environment; taken apart, or kept for another when nothing was written to it.
#[derive(Debug)]
pub(crate) struct TmpDisk {
    /// Gone only while being dropped.
    disk: Option<Arc<Disk>>,
    shelf: Arc<Shelf>,
}

impl TmpDisks {
    /// Returns at once; what can be prepared is prepared in the background.
    pub(crate) fn open(
        state_dir: &Path,
        is_root: bool,
        depth: usize,
    ) -> Result<Self, SandboxError> {
        let state_dir = state_dir.to_owned();
        let template = Later::start(move || {
            if is_root {
                return Template::make(&state_dir);
            }
            let source = std::io::Error::other("that takes root");
            Err(SandboxError::host("mount an image")(source))
        })?;
        let shelf = Arc::new(Shelf {
            template,
            ready: Mutex::default(),
            watch: Mutex::default(),
            removers: OnceLock::new(),
            removed: AtomicUsize::new(0),
            depth,
        });
        let filled = Arc::clone(&shelf);
        let taken = Worker::start("tmp-disks", move |taken| {
            // One for the first environment; as many as are wanted once there was one.
            filled.fill(depth.min(1));
            while let Ok(mut more) = taken.recv() {
                let since = Instant::now();
                while more == More::InALull && since.elapsed() < PATIENCE {
                    let Ok(next) = taken.recv_timeout(LULL) else {
                        break;
                    };
                    more = next;
                }
                filled.fill(depth);
            }
        })?;
        Ok(Self { shelf, taken })
    }

    /// A disk of this size, and a mount of it to be moved into the environment; `None` where there
    /// are none, or none could be made.
    pub(crate) fn take(&self, bytes: u64, more: More) -> Option<(TmpDisk, OwnedFd)> {
        let (ready, left) = {
            let mut shelf = self.shelf.ready();
            (shelf.pop(), shelf.len())
        };
        self.ask_for(if left == 0 { more } else { More::InALull });
        self.hand_out(ready, bytes)
    }

    /// The same, if one is ready.
    pub(crate) fn take_ready(&self, bytes: u64) -> Option<(TmpDisk, OwnedFd)> {
        let ready = self.shelf.ready().pop();
        self.ask_for(More::InALull);
        self.hand_out(Some(ready?), bytes)
    }

    fn ask_for(&self, more: More) {
        if self.shelf.depth > 0 {
            // Fails only when the thread died; then every start makes its own.
            let _ = self.taken.send(more);
        }
    }

    fn hand_out(&self, ready: Option<Arc<Disk>>, bytes: u64) -> Option<(TmpDisk, OwnedFd)> {
        let template = self.shelf.template.get().ok()?;
        let take = || {
            let disk = match ready {
                Some(disk) => disk,
                None => Arc::new(Disk::make(template)?),
            };
            let host = SandboxError::host;
            disk.resize(bytes).map_err(host("size a /tmp on disk"))?;
            let mount = disk.mount().map_err(host("mount a /tmp on disk"))?;
            self.shelf.watch(template)?.add(&disk);
            let shelf = Arc::clone(&self.shelf);
            let disk = Some(disk);
            Ok::<_, SandboxError>((TmpDisk { disk, shelf }, mount))
        };
        take()
            .inspect_err(|error| {
                let cause = std::error::Error::source(error).map(ToString::to_string);
                tracing::warn!(%error, cause, "a /tmp in memory instead");
            })
            .ok()
    }

    /// What `kagero doctor` says of them.
    pub(crate) fn finding(&self) -> Finding {
        let (available, detail) = match self.shelf.template.get() {
            Ok(template) => (
                true,
                format!("an image each in {}", template.folder().display()),
            ),
            Err(error) => {
                let cause = std::error::Error::source(&error)
                    .map(|cause| format!(" ({cause})"))
                    .unwrap_or_default();
                (
                    false,
                    format!("cannot {error}{cause}; instead, a tmpfs in memory"),
                )
            }
        };
        Finding {
            feature: "tmp on disk",
            available,
            detail,
        }
    }
}

impl Shelf {
    fn fill(&self, depth: usize) {
        let Ok(template) = self.template.get() else {
            return;
        };
        while self.ready().len() < depth {
            match Disk::make(template) {
                Ok(disk) => self.ready().push(Arc::new(disk)),
                Err(error) => {
                    tracing::warn!(%error, "make a /tmp on disk ahead");
                    return;
                }
            }
        }
    }

    /// The watch over the host's disk, which the first environment starts.
    fn watch(&self, template: &Template) -> Result<Arc<DiskWatch>, SandboxError> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(watch) = &*watch {
            return Ok(Arc::clone(watch));
        }
        let started = Arc::new(DiskWatch::start(template.folder())?);
        *watch = Some(Arc::clone(&started));
        Ok(started)
    }

    /// Has a disk taken apart off everybody's path.
    fn remove(&self, disk: Arc<Disk>) {
        let removers = self.removers.get_or_init(|| {
            let start = |_| Worker::start("tmp-removal", |disks| disks.into_iter().for_each(drop));
            (0..REMOVERS)
                .filter_map(|number| start(number).ok())
                .collect()
        });
        let turn = self.removed.fetch_add(1, Ordering::Relaxed);
        if let Some(remover) = removers.get(turn % removers.len().max(1)) {
            // Given back when the thread is gone, and taken apart here.
            drop(remover.send(disk));
        }
    }

    fn ready(&self) -> MutexGuard<'_, Vec<Arc<Disk>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TmpDisk {
    /// Changes the size while in use.
    pub(crate) fn resize(&self, bytes: u64) -> Result<(), SandboxError> {
        let resized = self.disk.iter().try_for_each(|disk| disk.resize(bytes));
        resized.map_err(SandboxError::host("size a /tmp on disk"))
    }

    /// Whether the environment ever created anything in it.
    pub(crate) fn was_used(&self) -> bool {
        self.disk.iter().any(|disk| !disk.is_untouched())
    }
}

impl Drop for TmpDisk {
    fn drop(&mut self) {
        let Some(disk) = self.disk.take() else { return };
        let watch = self
            .shelf
            .watch
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        watch.iter().for_each(|watch| watch.remove(&disk));
        drop(watch);
        let mut ready = self.shelf.ready();
        if disk.is_untouched() && ready.len() < self.shelf.depth * SPARE {
            ready.push(disk);
        } else {
            drop(ready);
            self.shelf.remove(disk);
        }
    }
}

/// Gives the tmpfs that an environment has as its `/tmp` another size, as root.
pub(crate) fn resize_tmpfs(init: u32, bytes: u64) -> Result<(), SandboxError> {
    let path = format!("/proc/{init}/root/tmp");
    let (bytes, inodes) = crate::steps::root_view::tmpfs_size(bytes);
    kernel::resize_tmpfs(
        Path::new(&path),
        &[(c"size", bytes), (c"nr_inodes", inodes)],
    )
    .map_err(SandboxError::host("size a /tmp in memory"))
}
