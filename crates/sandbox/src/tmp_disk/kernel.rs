//! The system calls behind a disk of `/tmp`: loop devices and detached mounts.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::Space;
use crate::detached::{self, owned};

const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4c82;
const LOOP_CONFIGURE: libc::Ioctl = 0x4c0a;
/// The device lets go of its file with its last user.
const LO_FLAGS_AUTOCLEAR: u32 = 4;
/// Past the host's page cache: the pages of the file system above are cache enough.
const LO_FLAGS_DIRECT_IO: u32 = 16;

const FITRIM: libc::Ioctl = 0xc018_5879_u32 as libc::Ioctl;
const EXT4_IOC_SHUTDOWN: libc::Ioctl = 0x8004_587d_u32 as libc::Ioctl;
const SHUTDOWN_WITHOUT_FLUSH: u32 = 2;

const FSCONFIG_CMD_RECONFIGURE: u32 = 7;

/// Between asking for a free loop device and taking it, somebody else may have taken it.
const ATTEMPTS: usize = 64;

#[repr(C)]
struct LoopInfo {
    device: u64,
    inode: u64,
    real_device: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encryption: u32,
    key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    cipher_name: [u8; 64],
    key: [u8; 32],
    init: [u64; 2],
}

#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// A loop device that shows a file as a disk, for as long as this or a mount of it is there.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) number: u32,
    _device: File,
}

impl Loop {
    pub(super) fn attach(file: &File) -> io::Result<Self> {
        let control = File::options()
            .read(true)
            .write(true)
            .open("/dev/loop-control")?;
        let mut last = io::Error::from_raw_os_error(libc::EBUSY);
        for _ in 0..ATTEMPTS {
            // SAFETY: takes no argument beyond the request.
            let number = check(unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) })?;
            let device = File::options()
                .read(true)
                .write(true)
                .open(format!("/dev/loop{number}"))?;
            match configure(&device, file) {
                Ok(()) => {
                    return Ok(Self {
                        number: number.cast_unsigned(),
                        _device: device,
                    });
                }
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

fn configure(device: &File, file: &File) -> io::Result<()> {
    // SAFETY: integers and arrays of integers: all zero is valid.
    let mut config: LoopConfig = unsafe { std::mem::zeroed() };
    config.fd = file.as_raw_fd().cast_unsigned();
    config.block_size = super::BLOCK as u32;
    config.info.flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
    // SAFETY: the request takes a loop_config, which this is.
    check(unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) })?;
    Ok(())
}

/// Mounts the file system of a loop device where nobody sees it: the mount is this descriptor, and
/// ends with it unless it is moved to a place. Further mounts of one device show the same files.
pub(super) fn mount(device: u32) -> io::Result<OwnedFd> {
    let source = CString::new(format!("/dev/loop{device}")).expect("digits hold no NUL");
    let options: [(&CStr, Option<&CStr>); 2] = [
        (c"source", Some(&source)),
        // The image is full of holes; nobody is to fill them.
        (c"noinit_itable", None),
    ];
    let attributes = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOATIME;
    detached::mount(c"ext4", &options, attributes)
}

/// Gives a mounted tmpfs another size.
pub(super) fn resize_tmpfs(path: &Path, options: &[(&CStr, u64)]) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_encoded_bytes())?;
    // SAFETY: a valid C string; the result is checked.
    let context = owned(unsafe {
        libc::syscall(
            libc::SYS_fspick,
            libc::AT_FDCWD,
            path.as_ptr(),
            detached::CLOSE_ON_EXEC,
        )
    })?;
    for (name, value) in options {
        let value = CString::new(value.to_string()).expect("digits hold no NUL");
        detached::set(&context, name, Some(&value))?;
    }
    detached::command(&context, FSCONFIG_CMD_RECONFIGURE)
}

/// The top folder of a mount, open to be asked and told things.
pub(super) fn top_folder(mount: &OwnedFd) -> io::Result<File> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: a live descriptor and a valid C string; the result is checked.
    let folder = unsafe { libc::openat(mount.as_raw_fd(), c".".as_ptr(), flags) };
    owned(folder.into()).map(File::from)
}

pub(super) fn remove_folder(parent: &File, name: &CStr) -> io::Result<()> {
    // SAFETY: a live descriptor and a valid C string.
    check(unsafe { libc::unlinkat(parent.as_raw_fd(), name.as_ptr(), libc::AT_REMOVEDIR) })?;
    Ok(())
}

/// A file without a name in this folder, gone when it is closed.
pub(super) fn unnamed_file(folder: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE)
        .open(folder)
}

/// The parts of a file that are not holes.
pub(super) fn contents(file: &File) -> io::Result<Vec<(u64, Vec<u8>)>> {
    let mut parts = Vec::new();
    let mut at = 0;
    loop {
        let Some(start) = seek(file, at, libc::SEEK_DATA)? else {
            return Ok(parts);
        };
        let end = seek(file, start, libc::SEEK_HOLE)?.unwrap_or(start);
        let mut bytes = vec![0; usize::try_from(end - start).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, start)?;
        parts.push((start, bytes));
        at = end;
    }
}

fn seek(file: &File, from: u64, whence: i32) -> io::Result<Option<u64>> {
    // SAFETY: takes only numbers.
    let found = unsafe { libc::lseek(file.as_raw_fd(), from.cast_signed(), whence) };
    match u64::try_from(found) {
        Ok(found) => Ok(Some(found)),
        Err(_) => match io::Error::last_os_error() {
            // Nothing but a hole from here on.
            error if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
            error => Err(error),
        },
    }
}

/// The space of the file system that an open file or folder lies in.
pub(super) fn space(file: &File) -> io::Result<Space> {
    // SAFETY: zeroed is a valid statfs, which the kernel fills in; the descriptor is live.
    let (result, stat) = unsafe {
        let mut stat: libc::statfs = std::mem::zeroed();
        (libc::fstatfs(file.as_raw_fd(), &raw mut stat), stat)
    };
    check(result)?;
    let block = stat.f_bsize.cast_unsigned();
    Ok(Space {
        kind: stat.f_type,
        total_bytes: stat.f_blocks * block,
        free_bytes: stat.f_bfree * block,
        available_bytes: stat.f_bavail * block,
    })
}

/// Writes everything of a file system to its device.
pub(super) fn write_out(folder: &File) -> io::Result<()> {
    // SAFETY: takes a live descriptor.
    check(unsafe { libc::syncfs(folder.as_raw_fd()) })?;
    Ok(())
}

/// Gives back to the host what the file system no longer uses.
pub(super) fn trim(folder: &File) -> io::Result<()> {
    let mut range = [0_u64, u64::MAX, 0];
    // SAFETY: the request takes an fstrim_range: three u64.
    check(unsafe { libc::ioctl(folder.as_raw_fd(), FITRIM, range.as_mut_ptr()) })?;
    Ok(())
}

/// Ends a file system at once: what is not written yet never will be.
pub(super) fn shut_down(folder: &File) -> io::Result<()> {
    let how = SHUTDOWN_WITHOUT_FLUSH;
    // SAFETY: the request takes a u32.
    check(unsafe { libc::ioctl(folder.as_raw_fd(), EXT4_IOC_SHUTDOWN, &raw const how) })?;
    Ok(())
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
