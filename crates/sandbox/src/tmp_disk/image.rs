//! The file system of a `/tmp`: formatted once a server, then copied into a sparse file for each.

use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{BLOCK, LARGEST, kernel};
use crate::SandboxError;

/// Room for what the file system itself needs.
const OVERHEAD: u64 = 192 << 20;
/// Files and folders of one environment.
const INODES: u32 = 262_144;
/// Where an ext4 file system without a journal notes that it was unmounted.
/// <https://docs.kernel.org/filesystems/ext4/super.html>
const SUPERBLOCK_STATE: u64 = 1024 + 0x3a;
const STATE_CLEAN: u16 = 1;
const UNMOUNT_PATIENCE: Duration = Duration::from_secs(5);
/// The size of a file system in memory is memory that nobody is charged for.
const RAMFS_MAGIC: i64 = 0x8584_58f6;

/// An empty file system of the largest size, as it lies on disk: some kilobytes, and holes.
#[derive(Debug)]
pub(super) struct Template {
    folder: PathBuf,
    parts: Vec<(u64, Vec<u8>)>,
}

/// A `/tmp` on disk, mounted where only its descriptors lead to.
#[derive(Debug)]
pub(super) struct Disk {
    /// A sparse file without a name: nothing is left of it after the server, however it ends.
    image: File,
    loop_number: u32,
    /// Keeps the file system mounted between the environments' own mounts.
    _mount: OwnedFd,
    folder: File,
    /// How many blocks nobody may use; setting it is what limits the size.
    reserved: File,
    free_at_first: u64,
    changed_at_first: (i64, i64),
    bytes: AtomicU64,
    /// Nothing more may be written, because the host's disk is full.
    closed: AtomicBool,
}

impl Template {
    /// Formats, and finds out whether this host can attach and mount the result.
    pub(super) fn make(folder: &Path) -> Result<Self, SandboxError> {
        let make = |file: &File| -> io::Result<Vec<(u64, Vec<u8>)>> {
            let device = kernel::Loop::attach(file)?;
            let mount = kernel::mount(device.number)?;
            let top = kernel::top_folder(&mount)?;
            kernel::remove_folder(&top, c"lost+found")?;
            top.set_permissions(Permissions::from_mode(0o1777))?;
            if kernel::space(&top)?.free_bytes < LARGEST {
                return Err(io::Error::other("the file system came out too small"));
            }
            kernel::write_out(&top)?;
            drop((top, mount, device));
            wait_until_unmounted(file)?;
            kernel::contents(file)
        };
        let file = kernel::unnamed_file(folder)
            .map_err(SandboxError::host("create a file without a name"))?;
        let kind = kernel::space(&file)
            .map_err(SandboxError::host("look at the state folder"))?
            .kind;
        if kind == libc::TMPFS_MAGIC || kind == RAMFS_MAGIC {
            let source = io::Error::other("the state folder lies in memory");
            return Err(SandboxError::host("keep /tmp on disk")(source));
        }
        file.set_len(LARGEST + OVERHEAD)
            .and_then(|()| format(&file))
            .map_err(SandboxError::host("run mkfs.ext4"))?;
        let parts = make(&file).map_err(SandboxError::host("mount an ext4 image"))?;
        Ok(Self {
            folder: folder.to_owned(),
            parts,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// No journal, as nothing survives a crash; no UUID, so that no host lists these disks by it.
fn format(file: &File) -> io::Result<()> {
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let output = Command::new("mkfs.ext4")
        .env("PATH", search_path())
        .args([
            "-q", "-F", "-m", "0", "-U", "clear", "-b", "4096", "-I", "256",
        ])
        .args(["-O", "^has_journal,^resize_inode"])
        .args(["-E", "nodiscard,lazy_itable_init=1,root_owner=0:0"])
        .args(["-N", &INODES.to_string(), &path])
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().last().unwrap_or_default();
    Err(io::Error::other(format!("{}: {said}", output.status)))
}

/// What was closed may live on for a moment in a process that is just being forked, and the file
/// system stays mounted so long; its superblock says when it no longer is.
fn wait_until_unmounted(file: &File) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        let mut state = [0_u8; 2];
        file.read_exact_at(&mut state, SUPERBLOCK_STATE)?;
        if u16::from_le_bytes(state) & STATE_CLEAN != 0 {
            return Ok(());
        }
        if begun.elapsed() > UNMOUNT_PATIENCE {
            return Err(io::Error::other("it stays mounted"));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The tools for file systems are not on an ordinary user's path everywhere.
fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    path
}

impl Disk {
    /// Blocks for one to some milliseconds.
    pub(super) fn make(template: &Template) -> Result<Self, SandboxError> {
        let make = || -> io::Result<Self> {
            let image = kernel::unnamed_file(&template.folder)?;
            image.set_len(LARGEST + OVERHEAD)?;
            for (offset, bytes) in &template.parts {
                image.write_all_at(bytes, *offset)?;
            }
            let device = kernel::Loop::attach(&image)?;
            let mount = kernel::mount(device.number)?;
            let folder = kernel::top_folder(&mount)?;
            let knob = format!("/sys/fs/ext4/loop{}/reserved_clusters", device.number);
            let metadata = folder.metadata()?;
            Ok(Self {
                free_at_first: kernel::space(&folder)?.free_bytes,
                changed_at_first: (metadata.ctime(), metadata.ctime_nsec()),
                image,
                loop_number: device.number,
                _mount: mount,
                folder,
                reserved: File::options().write(true).open(knob)?,
                bytes: AtomicU64::new(LARGEST),
                closed: AtomicBool::new(false),
            })
        };
        make().map_err(SandboxError::host("prepare a /tmp on disk"))
    }

    /// A mount of it to be moved to its place, once.
    pub(super) fn mount(&self) -> io::Result<OwnedFd> {
        kernel::mount(self.loop_number)
    }

    /// Microseconds; what is above the new size already stays.
    pub(super) fn resize(&self, bytes: u64) -> io::Result<()> {
        self.bytes.store(bytes.min(LARGEST), Ordering::Release);
        self.enforce()
    }

    /// Lets nobody write more, or all again up to the size.
    pub(super) fn close(&self, closed: bool) -> io::Result<()> {
        self.closed.store(closed, Ordering::Release);
        self.enforce()
    }

    fn enforce(&self) -> io::Result<()> {
        let size = if self.closed.load(Ordering::Acquire) {
            // What has been written to the page cache was granted and gets its place all the same.
            0
        } else {
            self.bytes.load(Ordering::Acquire)
        };
        let blocks = self.free_at_first.saturating_sub(size) / BLOCK;
        self.reserved.write_all_at(blocks.to_string().as_bytes(), 0)
    }

    /// Bytes in use, those that only the page cache holds so far included.
    pub(super) fn used(&self) -> io::Result<u64> {
        let free = kernel::space(&self.folder)?.free_bytes;
        Ok(self.free_at_first.saturating_sub(free))
    }

    /// Bytes of the host's disk that it takes.
    pub(super) fn allocated(&self) -> io::Result<u64> {
        Ok(self.image.metadata()?.blocks() * 512)
    }

    pub(super) fn trim(&self) -> io::Result<()> {
        kernel::trim(&self.folder)
    }

    /// Whether anything was ever created in it: the top folder, in which that would show, belongs
    /// to root, and nobody can set the time of a folder's last change.
    pub(super) fn is_untouched(&self) -> bool {
        let metadata = self.folder.metadata();
        metadata.is_ok_and(|now| (now.ctime(), now.ctime_nsec()) == self.changed_at_first)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Otherwise unmounting would first write what is about to be thrown away.
        if let Err(error) = kernel::shut_down(&self.folder) {
            tracing::warn!(%error, "shut down a /tmp on disk");
        }
    }
}
