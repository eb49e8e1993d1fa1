//! Lets the host pass packets on, only where needed, and undoes it.
//!
//! Forwarding is a setting of the device that a packet comes in by: the environments' own, and
//! those that the answers come back by. What was off before is noted in a file beside the
//! running system, not in the data directory: it has to be forgotten with a reboot, as the
//! settings are, and it is shared by all servers of this network namespace.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::link::Links;

/// Another server holds the file for less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file that notes what was off.
#[derive(Debug)]
pub(super) struct Forwarding {
    path: PathBuf,
}

impl Forwarding {
    /// Of the calling thread's network namespace.
    pub(super) fn open() -> io::Result<Self> {
        let namespace = fs::metadata("/proc/thread-self/ns/net")?.ino();
        let folder = Path::new("/run/kagero");
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("forwarding-{namespace}"));
        Ok(Self { path })
    }

    /// Lets these devices forward; returns those of them that do only because of Kagero.
    pub(super) fn enable(&self, devices: &BTreeSet<String>) -> io::Result<BTreeSet<String>> {
        let mut file = self.lock()?;
        let mut ours = read(&mut file)?;
        for device in devices {
            if is_on(device)? {
                continue;
            }
            ours.insert(device.clone());
            // The note first: a setting that nobody knows of would stay.
            write(&mut file, &ours)?;
            set(device, true)?;
        }
        Ok(ours)
    }

    /// Turns it off again where it was off, when no other server of this kind needs it.
    pub(super) fn restore(
        &self,
        needed_by_others: impl FnOnce() -> io::Result<bool>,
    ) -> io::Result<()> {
        let mut file = self.lock()?;
        if needed_by_others()? {
            return Ok(());
        }
        // Somebody has turned it on for the whole host meanwhile, and counts on it.
        if !is_on("all")? {
            for device in read(&mut file)? {
                match set(&device, false) {
                    // The device is gone, and its setting with it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    outcome => outcome?,
                }
            }
        }
        write(&mut file, &BTreeSet::new())?;
        fs::remove_file(&self.path)
    }

    fn lock(&self) -> io::Result<File> {
        let begun = Instant::now();
        loop {
            let file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&self.path)?;
            match file.try_lock() {
                // Removed by the last holder while this one waited: the next is another file.
                Ok(()) if file.metadata()?.nlink() == 0 => {}
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// The devices that routes to elsewhere lead out of, but the environments' own.
pub(super) fn uplinks(links: &Links) -> io::Result<BTreeSet<String>> {
    let routes = links.routes()?;
    let leads_out = |index: u32| {
        routes
            .iter()
            .any(|route| route.is_unicast && route.out == Some(index))
    };
    let names = links
        .all()?
        .into_iter()
        .filter(|(index, name)| leads_out(*index) && name != "lo" && !super::is_own_device(name));
    Ok(names.map(|(_, name)| name).collect())
}

/// Where a setting of a device is, in the calling thread's network namespace.
fn setting(family: &str, device: &str, name: &str) -> PathBuf {
    // Not `/proc/sys/net` by way of another thread: it shows the namespace of who opens it.
    PathBuf::from(format!("/proc/sys/net/{family}/conf/{device}/{name}"))
}

fn is_on(device: &str) -> io::Result<bool> {
    let value = fs::read_to_string(setting("ipv4", device, "forwarding"))?;
    Ok(value.trim() != "0")
}

fn set(device: &str, on: bool) -> io::Result<()> {
    fs::write(
        setting("ipv4", device, "forwarding"),
        if on { "1" } else { "0" },
    )
}

fn read(file: &mut File) -> io::Result<BTreeSet<String>> {
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn write(file: &mut File, devices: &BTreeSet<String>) -> io::Result<()> {
    let mut text = String::new();
    for device in devices {
        text.push_str(device);
        text.push('\n');
    }
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())
}
