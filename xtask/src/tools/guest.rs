//! What a virtual machine is made of: an emulator, Debian's kernel, and a disk with a small Debian.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::debian::{self, Present};
use super::{fetching, folder};
use crate::run;

/// What the tests run inside their sandboxes, and what the guest needs to start them.
const PACKAGES: [&str; 14] = [
    "base-passwd",
    "bash",
    "coreutils",
    "curl",
    "dash",
    "findutils",
    "grep",
    "hostname",
    "libc-bin",
    "mount",
    "procps",
    "python3",
    "sed",
    "util-linux",
];

/// The kernel's drivers for the disk, each after those that it builds on.
const MODULES: [&str; 6] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
];

/// Room on the disk; the file only takes what is used.
const DISK_SIZE: &str = "600M";

/// The parts of a virtual machine.
pub struct Guest {
    folder: PathBuf,
}

/// Fetches what is missing; nothing is installed.
pub fn ensure() -> anyhow::Result<Guest> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "the guest is only made for x86-64 machines"
    );
    let guest = Guest {
        folder: folder().join("guest"),
    };
    if !guest.folder.join("complete").exists() {
        fetching("qemu, Debian's cloud kernel and a small Debian", || {
            guest.make()
        })
        .context("the virtual machine cannot be made; its parts come from a Debian mirror")?;
    }
    guest.check_emulator()?;
    Ok(guest)
}

impl Guest {
    fn make(&self) -> anyhow::Result<()> {
        let _ = fs::remove_dir_all(&self.folder);
        fs::create_dir_all(&self.folder)?;
        if run::on_path("qemu-system-x86_64").is_none() {
            let packages = self.download(&["qemu-system-x86"], Present::Installed)?;
            unpack(&packages, &self.folder.join("qemu"))?;
        }
        let packages = self.download(&["linux-image-cloud-amd64"], Present::Nothing)?;
        let kernel: Vec<PathBuf> = named(packages, "linux-image-");
        unpack(&kernel, &self.folder.join("kernel"))?;
        let packages = self.download(&["busybox-static"], Present::Nothing)?;
        unpack(&packages, &self.folder.join("busybox"))?;
        self.make_disk()?;
        fs::write(self.folder.join("complete"), "")?;
        Ok(())
    }

    fn download(&self, packages: &[&str], present: Present) -> anyhow::Result<Vec<PathBuf>> {
        let into = self.folder.join("packages").join(packages[0]);
        debian::download(packages, present, &into)
    }

    /// Unpacks the packages without running their scripts, and adds what those would have written.
    fn make_disk(&self) -> anyhow::Result<()> {
        let tree = tempfile::tempdir_in(&self.folder)?;
        let root = tree.path();
        for folder in ["proc", "sys", "dev", "run", "tmp", "mnt", "etc", "usr"] {
            fs::create_dir_all(root.join(folder))?;
        }
        for folder in ["bin", "sbin", "lib", "lib64"] {
            fs::create_dir(root.join("usr").join(folder))?;
            symlink(Path::new("usr").join(folder), root.join(folder))?;
        }
        unpack(&self.download(&PACKAGES, Present::Nothing)?, root)?;
        for bulk in ["doc", "locale", "man"] {
            let _ = fs::remove_dir_all(root.join("usr/share").join(bulk));
        }
        let defaults = root.join("usr/share/base-passwd");
        for (file, extra) in [
            ("passwd", "user:x:1000:1000::/tmp:/bin/sh\n"),
            ("group", "user:x:1000:\n"),
        ] {
            let all = fs::read_to_string(defaults.join(format!("{file}.master")))? + extra;
            fs::write(root.join("etc").join(file), all)?;
        }
        fs::write(root.join("etc/hostname"), "guest\n")?;
        fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n")?;
        fs::write(root.join("etc/nsswitch.conf"), "hosts: files dns\n")?;
        run::quiet(
            Command::new(mke2fs()?)
                .args(["-q", "-t", "ext4", "-O", "^has_journal", "-d"])
                .arg(root)
                .arg(self.disk())
                .arg(DISK_SIZE),
        )?;
        Ok(())
    }

    /// The emulator, ready for further arguments.
    pub fn emulator(&self) -> Command {
        let unpacked = self.folder.join("qemu");
        if !unpacked.exists() {
            return Command::new("qemu-system-x86_64");
        }
        let mut command = Command::new(unpacked.join("usr/bin/qemu-system-x86_64"));
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
        let libraries = libraries.map(|folder| unpacked.join(folder));
        let joined = std::env::join_paths(libraries).expect("our folders hold no colons");
        command.env("LD_LIBRARY_PATH", joined);
        for firmware in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(unpacked.join(firmware));
        }
        command
    }

    fn check_emulator(&self) -> anyhow::Result<()> {
        run::quiet(self.emulator().arg("--version"))
            .map(drop)
            .context("qemu-system-x86_64 does not run")
    }

    pub fn disk(&self) -> PathBuf {
        self.folder.join("disk.ext4")
    }

    pub fn busybox(&self) -> PathBuf {
        self.folder.join("busybox/bin/busybox")
    }

    pub fn kernel(&self) -> anyhow::Result<PathBuf> {
        let boot = self.folder.join("kernel/boot");
        only_child(&boot, "vmlinuz-")
    }

    /// The drivers to load before the disk is there, in that order.
    pub fn modules(&self) -> anyhow::Result<Vec<PathBuf>> {
        let version = only_child(&self.folder.join("kernel/lib/modules"), "")?;
        let drivers = version.join("kernel/drivers");
        MODULES
            .iter()
            .map(|name| {
                let file = format!("{name}.ko");
                let places = ["virtio", "block"].map(|folder| drivers.join(folder).join(&file));
                let found = places.into_iter().find(|place| place.exists());
                found.with_context(|| format!("the kernel package has no {file}"))
            })
            .collect()
    }
}

/// Through tar, which keeps to links between folders where `dpkg -x` would replace them.
fn unpack(packages: &[PathBuf], into: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(into)?;
    for package in packages {
        let extract = "dpkg-deb --fsys-tarfile \"$0\" | tar -x --keep-directory-symlink -C \"$1\"";
        run::quiet(
            Command::new("sh")
                .args(["-c", extract])
                .arg(package)
                .arg(into),
        )?;
    }
    Ok(())
}

fn named(packages: Vec<PathBuf>, start: &str) -> Vec<PathBuf> {
    let matches = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with(start))
    };
    packages.into_iter().filter(matches).collect()
}

fn only_child(folder: &Path, start: &str) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let found = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut found = named(found.collect(), start);
    match (found.pop(), found.pop()) {
        (Some(one), None) => Ok(one),
        _ => bail!("not exactly one {start}* in {}", folder.display()),
    }
}

fn mke2fs() -> anyhow::Result<PathBuf> {
    let find = || {
        let system = ["/usr/sbin/mke2fs", "/sbin/mke2fs"].map(PathBuf::from);
        run::on_path("mke2fs").or_else(|| system.into_iter().find(|path| path.exists()))
    };
    if let Some(program) = find() {
        return Ok(program);
    }
    debian::install(&["e2fsprogs"]).context("mke2fs is missing")?;
    find().context("e2fsprogs is installed and has no mke2fs")
}
