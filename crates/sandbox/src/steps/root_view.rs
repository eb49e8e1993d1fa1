//! Steps that give the sandbox its root: binds, `/tmp`, `/dev`, `/proc`, then `pivot_root`.
//!
//! Classic `mount` for what it does in one call, `mount_setattr` (Linux 5.12) for what must reach
//! submounts: a remount would leave a writable mount below `/usr` writable.

use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use crate::SandboxError;
use crate::plan::{Call, Phase, Plan};
use crate::skeleton::{self, DEVICES, Skeleton};
use crate::spec::{Bind, RootView};

const SHM_BYTES: u64 = 64 << 20;
const PAGE: u64 = 4096;

/// Everything that decides the view of one sandbox.
pub(crate) struct View<'a> {
    pub(crate) skeleton: &'a Skeleton,
    pub(crate) root: &'a RootView,
    /// `None` of a zygote: `/tmp`, `/dev/shm` and `/proc` are each forked sandbox's own.
    pub(crate) tmp: Option<Tmp>,
    /// Further binds of the host's own choosing.
    pub(crate) extra: &'a [Bind],
    /// Its `/etc/passwd`, where it is no other sandbox's; only with a `/tmp`.
    pub(crate) passwd: Option<&'a str>,
}

/// Where `/tmp` lies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tmp {
    /// In memory, of this size in bytes.
    Memory(u64),
    /// On disk: a mount that is nowhere yet, by its number in init.
    Disk(RawFd),
}

/// Where an open sandbox finds the host's folder of what it may become.
pub(crate) const STASH: &str = "/run/stash";
/// Where an `/etc/passwd` is written, before it lies in its place alone.
const PASSWD: &str = "dev/shm/passwd";

/// Adds the steps; afterwards `/` is the sandbox's root and the host's is gone.
pub(crate) fn add(plan: &mut Plan, view: &View<'_>) -> Result<(), SandboxError> {
    let image = view.root.image.as_deref();
    let root = image.unwrap_or_else(|| view.skeleton.path());
    // An image brings its own.
    let host_folders: Vec<&Path> = match image {
        Some(_) => Vec::new(),
        None => view.skeleton.host_folders().collect(),
    };
    let mut mounts = Mounts::new(plan)?;
    mounts.make_private()?;
    mounts.bind(root, root)?;
    for folder in &host_folders {
        mounts.bind_read_only(folder, &inside(root, folder))?;
    }
    for device in DEVICES {
        let host = Path::new("/dev").join(device);
        mounts.bind_device(&host, &inside(root, &host))?;
    }
    let mut mounted = host_folders;
    for bind in view.root.binds.iter().chain(view.extra) {
        if !skeleton::is_place_for_a_bind(&bind.guest) {
            return Err(SandboxError::GuestPath {
                path: bind.guest.clone(),
            });
        }
        let metadata = std::fs::metadata(&bind.host).map_err(|source| SandboxError::Bind {
            path: bind.host.clone(),
            source,
        })?;
        if image.is_none() && !mounted.iter().any(|outer| bind.guest.starts_with(outer)) {
            view.skeleton.mount_point(&bind.guest, metadata.is_dir())?;
        }
        mounted.push(&bind.guest);
        mounts.bind_read_only(&bind.host, &inside(root, &bind.guest))?;
    }
    if let Some(tmp) = view.tmp {
        mounts.own_folders(root, tmp, view.passwd)?;
    }
    mounts.pivot(root)
}

/// Adds the steps that make a zygote's view, of which a forked sandbox has a copy, its own.
pub(crate) fn add_forked(
    plan: &mut Plan,
    tmp: Tmp,
    passwd: Option<&str>,
) -> Result<(), SandboxError> {
    Mounts::new(plan)?.own_folders(Path::new("/"), tmp, passwd)
}

/// Adds the steps that make an open sandbox somebody's: its binds, whose host paths lie in the
/// stash, and the size of a `/tmp` in memory. Afterwards nothing of the stash is reachable any more.
pub(crate) fn add_completion(
    plan: &mut Plan,
    stash: &Path,
    binds: &[Bind],
    tmpfs_bytes: Option<u64>,
) -> Result<(), SandboxError> {
    let mut mounts = Mounts::new(plan)?;
    for bind in binds {
        let path = bind.host.strip_prefix(stash).ok();
        let path = path.filter(|path| skeleton::is_plain(path));
        let inside = path.map(|path| Path::new(STASH).join(path));
        let inside = inside.ok_or_else(|| SandboxError::OutsideStash {
            path: bind.host.clone(),
        })?;
        mounts.bind_read_only(&inside, &bind.guest)?;
    }
    if let Some(bytes) = tmpfs_bytes {
        mounts.resize_tmp(bytes)?;
    }
    mounts.detach(STASH)
}

/// Where a guest path stands before the pivot.
fn inside(root: &Path, guest: &Path) -> PathBuf {
    root.join(guest.strip_prefix("/").unwrap_or(guest))
}

/// The bytes and inodes of a tmpfs that is to hold this much.
pub(crate) fn tmpfs_size(bytes: u64) -> (u64, u64) {
    // A size of zero would mean no limit.
    let bytes = bytes.max(PAGE);
    // One inode a page: a flood of empty files ends as a full disk, not as kernel memory.
    (bytes, (bytes / PAGE).clamp(1024, 1 << 20))
}

fn tmpfs_options(bytes: u64) -> String {
    let (bytes, inodes) = tmpfs_size(bytes);
    format!("mode=1777,size={bytes},nr_inodes={inodes}")
}

struct Mounts<'a> {
    plan: &'a mut Plan,
    read_only: u64,
    empty: u64,
    tmpfs: u64,
    proc: u64,
}

impl<'a> Mounts<'a> {
    fn new(plan: &'a mut Plan) -> Result<Self, SandboxError> {
        let flags = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
        let read_only = plan.words(&[flags, 0, 0, 0]);
        let empty = plan.string("path", "")?;
        let tmpfs = plan.string("path", "tmpfs")?;
        let proc = plan.string("path", "proc")?;
        Ok(Self {
            plan,
            read_only,
            empty,
            tmpfs,
            proc,
        })
    }

    /// Nothing mounted from here on shows outside, and nothing outside shows here.
    fn make_private(&mut self) -> Result<(), SandboxError> {
        let root = self.plan.string("path", "/")?;
        let flags = libc::MS_REC | libc::MS_PRIVATE;
        self.mount("make mounts private", self.empty, root, 0, flags, 0);
        Ok(())
    }

    fn bind(&mut self, host: &Path, target: &Path) -> Result<u64, SandboxError> {
        let label = format!("bind {}", host.display());
        let host = self.plan.string("bind source", host)?;
        let target = self.plan.string("bind target", target)?;
        self.mount(label, host, target, 0, libc::MS_BIND | libc::MS_REC, 0);
        Ok(target)
    }

    fn bind_read_only(&mut self, host: &Path, target: &Path) -> Result<(), SandboxError> {
        let label = format!("make {} read-only", host.display());
        let target = self.bind(host, target)?;
        self.set_read_only(label, target, libc::AT_RECURSIVE);
        Ok(())
    }

    /// A device is read and written as ever; its node, the host's own, cannot be changed.
    fn bind_device(&mut self, host: &Path, target: &Path) -> Result<(), SandboxError> {
        let label = format!("keep {} as it is", host.display());
        let target = self.bind(host, target)?;
        let read_only = self.plan.words(&[libc::MOUNT_ATTR_RDONLY, 0, 0, 0]);
        self.set_attributes(label, target, 0, read_only);
        Ok(())
    }

    fn set_read_only(&mut self, label: String, target: u64, flags: i32) {
        self.set_attributes(label, target, flags, self.read_only);
    }

    fn set_attributes(&mut self, label: String, target: u64, flags: i32, attributes: u64) {
        let call = Call::new(libc::SYS_mount_setattr)
            .with_int(libc::AT_FDCWD)
            .with(target)
            .with(u64::from(flags.cast_unsigned()))
            .with(attributes)
            .with(32);
        self.plan.push(Phase::Setup, label, call);
    }

    /// What no two sandboxes share.
    fn own_folders(
        &mut self,
        root: &Path,
        tmp: Tmp,
        passwd: Option<&str>,
    ) -> Result<(), SandboxError> {
        // The file of the host's choosing takes nothing away.
        let shared = SHM_BYTES + passwd.map_or(0, |_| PAGE);
        self.tmpfs(&root.join("dev/shm"), shared)?;
        match tmp {
            Tmp::Memory(bytes) => self.tmpfs(&root.join("tmp"), bytes)?,
            Tmp::Disk(mount) => self.put(mount, &root.join("tmp"))?,
        }
        self.proc(&root.join("proc"))?;
        passwd.map_or(Ok(()), |text| self.passwd(root, text))
    }

    /// Writes `/etc/passwd` into memory of the sandbox's own: a file on the host's disk, made and
    /// removed with each sandbox, is dear (ext4 passes by each inode that was freed in the last five
    /// seconds), and somebody has to remove it.
    fn passwd(&mut self, root: &Path, text: &str) -> Result<(), SandboxError> {
        const READABLE: u64 = 0o644;
        let written = root.join(PASSWD);
        let path = self.plan.string("path", &written)?;
        let address = self.plan.bytes(text.as_bytes());
        let file = self.plan.slot();
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC;
        let steps = [
            Call::new(libc::SYS_openat)
                .with_int(libc::AT_FDCWD)
                .with(path)
                .with_int(flags)
                .with(READABLE)
                .into_slot(file),
            // Whatever the server's umask is.
            Call::new(libc::SYS_fchmod).with_slot(file).with(READABLE),
            Call::new(libc::SYS_write)
                .with_slot(file)
                .with(address)
                .with(text.len() as u64),
            Call::new(libc::SYS_close).with_slot(file),
        ];
        for step in steps {
            self.plan.push(Phase::Setup, "write a passwd file", step);
        }
        self.bind_read_only(&written, &root.join("etc/passwd"))?;
        let unlink = Call::new(libc::SYS_unlinkat)
            .with_int(libc::AT_FDCWD)
            .with(path)
            .with(0);
        self.plan
            .push(Phase::Setup, "leave the passwd file to its place", unlink);
        Ok(())
    }

    fn resize_tmp(&mut self, bytes: u64) -> Result<(), SandboxError> {
        let options = self.plan.string("mount options", tmpfs_options(bytes))?;
        let target = self.plan.string("mount target", "/tmp")?;
        let flags = libc::MS_REMOUNT | libc::MS_NOSUID | libc::MS_NODEV;
        let label = format!("resize /tmp to {bytes} bytes");
        self.mount(label, self.tmpfs, target, self.tmpfs, flags, options);
        Ok(())
    }

    fn detach(&mut self, target: &str) -> Result<(), SandboxError> {
        let label = format!("detach {target}");
        let target = self.plan.string("mount target", target)?;
        let call = Call::new(libc::SYS_umount2)
            .with(target)
            .with(libc::MNT_DETACH as u64);
        self.plan.push(Phase::Setup, label, call);
        Ok(())
    }

    fn tmpfs(&mut self, target: &Path, bytes: u64) -> Result<(), SandboxError> {
        let label = format!("mount tmpfs of {bytes} bytes");
        let options = self.plan.string("mount options", tmpfs_options(bytes))?;
        let target = self.plan.string("mount target", target)?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        self.mount(label, self.tmpfs, target, self.tmpfs, flags, options);
        Ok(())
    }

    /// Moves a mount that is nowhere yet to its place.
    fn put(&mut self, mount: RawFd, target: &Path) -> Result<(), SandboxError> {
        let target = self.plan.string("mount target", target)?;
        let call = Call::new(libc::SYS_move_mount)
            .with_int(mount)
            .with(self.empty)
            .with_int(libc::AT_FDCWD)
            .with(target)
            .with(u64::from(libc::MOVE_MOUNT_F_EMPTY_PATH));
        self.plan
            .push(Phase::Setup, "move the disk of /tmp in", call);
        Ok(())
    }

    /// Read-only as well: nothing in there is the program's to change.
    fn proc(&mut self, target: &Path) -> Result<(), SandboxError> {
        let target = self.plan.string("mount target", target)?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC | libc::MS_RDONLY;
        self.mount("mount proc", self.proc, target, self.proc, flags, 0);
        Ok(())
    }

    fn pivot(&mut self, root: &Path) -> Result<(), SandboxError> {
        let root = self.plan.string("path", root)?;
        let here = self.plan.string("path", ".")?;
        let top = self.plan.string("path", "/")?;
        let setup = Phase::Setup;
        self.plan.push(
            setup,
            "enter the root",
            Call::new(libc::SYS_chdir).with(root),
        );
        // Both on the same place: the old root then lies on top of the new one and is detached.
        let pivot = Call::new(libc::SYS_pivot_root).with(here).with(here);
        self.plan.push(setup, "pivot the root", pivot);
        let detach = Call::new(libc::SYS_umount2)
            .with(here)
            .with(libc::MNT_DETACH as u64);
        self.plan.push(setup, "unmount the host's root", detach);
        self.plan.push(
            setup,
            "enter the root",
            Call::new(libc::SYS_chdir).with(top),
        );
        self.set_read_only(String::from("make the root read-only"), top, 0);
        Ok(())
    }

    fn mount(
        &mut self,
        label: impl Into<std::borrow::Cow<'static, str>>,
        source: u64,
        target: u64,
        kind: u64,
        flags: libc::c_ulong,
        options: u64,
    ) {
        let call = Call::new(libc::SYS_mount)
            .with(source)
            .with(target)
            .with(kind)
            .with(flags)
            .with(options);
        self.plan.push(Phase::Setup, label, call);
    }
}
