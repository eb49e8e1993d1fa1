//! Steps that give the sandbox its root: binds, `/tmp`, `/dev`, `/proc`, then `pivot_root`.
//!
//! Classic `mount` for what it does in one call, `mount_setattr` (Linux 5.12) for what must reach
//! submounts: a remount would leave a writable mount below `/usr` writable.

use std::path::{Path, PathBuf};

use crate::SandboxError;
use crate::plan::{Call, Phase, Plan};
use crate::skeleton::{self, DEVICES, Skeleton};
use crate::spec::{Bind, RootView};

const SHM_BYTES: u64 = 64 << 20;

/// Everything that decides the view of one sandbox.
pub(crate) struct View<'a> {
    pub(crate) skeleton: &'a Skeleton,
    pub(crate) root: &'a RootView,
    pub(crate) tmp_bytes: u64,
    /// Further binds of the host's own choosing, such as this uid's `/etc/passwd`.
    pub(crate) extra: &'a [Bind],
}

/// Adds the steps; afterwards `/` is the sandbox's root and the host's is gone.
pub(crate) fn add(plan: &mut Plan, view: &View<'_>) -> Result<(), SandboxError> {
    let root = view.skeleton.path();
    let mut mounts = Mounts::new(plan)?;
    mounts.make_private()?;
    mounts.bind(root, root)?;
    for folder in view.skeleton.host_folders() {
        mounts.bind_read_only(folder, &inside(root, folder))?;
    }
    for device in DEVICES {
        let host = Path::new("/dev").join(device);
        mounts.bind(&host, &inside(root, &host))?;
    }
    let mut mounted: Vec<&Path> = view.skeleton.host_folders().collect();
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
        if !mounted.iter().any(|outer| bind.guest.starts_with(outer)) {
            view.skeleton.mount_point(&bind.guest, metadata.is_dir())?;
        }
        mounted.push(&bind.guest);
        mounts.bind_read_only(&bind.host, &inside(root, &bind.guest))?;
    }
    mounts.tmpfs(&root.join("dev/shm"), SHM_BYTES)?;
    mounts.tmpfs(&root.join("tmp"), view.tmp_bytes)?;
    mounts.proc(&root.join("proc"))?;
    mounts.pivot(root)
}

/// Where a guest path stands before the pivot.
fn inside(root: &Path, guest: &Path) -> PathBuf {
    root.join(guest.strip_prefix("/").unwrap_or(guest))
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

    fn set_read_only(&mut self, label: String, target: u64, flags: i32) {
        let call = Call::new(libc::SYS_mount_setattr)
            .with_int(libc::AT_FDCWD)
            .with(target)
            .with(u64::from(flags.cast_unsigned()))
            .with(self.read_only)
            .with(32);
        self.plan.push(Phase::Setup, label, call);
    }

    fn tmpfs(&mut self, target: &Path, bytes: u64) -> Result<(), SandboxError> {
        let label = format!("mount tmpfs of {bytes} bytes");
        // A size of zero would mean no limit.
        let bytes = bytes.max(4096);
        // One inode a page: a flood of empty files ends as a full disk, not as kernel memory.
        let inodes = (bytes / 4096).clamp(1024, 1 << 20);
        let options = format!("mode=1777,size={bytes},nr_inodes={inodes}");
        let options = self.plan.string("mount options", options)?;
        let target = self.plan.string("mount target", target)?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        self.mount(label, self.tmpfs, target, self.tmpfs, flags, options);
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
