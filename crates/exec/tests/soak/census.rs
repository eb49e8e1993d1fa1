//! Everything of the kernel's that this process holds, counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Descriptors that one `/tmp` on disk takes, and how each shows.
const DISK: &str = "descriptor /sys/fs/ext#/loop#/reserved_clusters";
const DISK_MOUNTS: &str = "descriptor /";
const LOOP_DEVICES: &str = "loop devices";

/// Where the server under test keeps its things.
pub struct Ground {
    pub folder: PathBuf,
    /// The folders of its control groups.
    pub groups: Vec<PathBuf>,
    /// Disks that may wait on the shelf, as it suits.
    pub most_disks: u64,
}

/// Files of `/etc/passwd` that are kept at most.
const MOST_SPARE: u64 = 256;

pub type Census = BTreeMap<String, u64>;

impl Ground {
    /// Counts. How many untouched disks wait is left out, once they are whole and not too many.
    pub fn count(&self) -> Census {
        let mut census = Census::new();
        let mut add = |what: String, count: u64| *census.entry(what).or_default() += count;
        for entry in entries(Path::new("/proc/self/fd")) {
            // The one that lists them is closed by now.
            if let Ok(target) = fs::read_link(entry) {
                add(format!("descriptor {}", kind(&target.to_string_lossy())), 1);
            }
        }
        for task in entries(Path::new("/proc/self/task")) {
            let name = fs::read_to_string(task.join("comm")).unwrap_or_default();
            add(format!("thread {}", kind(name.trim())), 1);
            let children = fs::read_to_string(task.join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                let what = if is_zombie(child) {
                    "zombies"
                } else {
                    "children"
                };
                add(what.to_owned(), 1);
            }
        }
        add("mounts".to_owned(), lines("/proc/self/mountinfo"));
        add("network links".to_owned(), lines("/proc/self/net/dev"));
        add("routes".to_owned(), lines("/proc/self/net/route"));
        add(LOOP_DEVICES.to_owned(), self.loop_devices());
        for folder in &self.groups {
            add("control groups".to_owned(), folders(folder).len() as u64);
        }
        add("files".to_owned(), files(&self.folder));
        self.without_spare_disks(census)
    }

    fn without_spare_disks(&self, mut census: Census) -> Census {
        let disks = census.remove(DISK).unwrap_or(0);
        let image = kind(
            &self
                .folder
                .join("exec/sandbox/#1 (deleted)")
                .to_string_lossy(),
        );
        let image = format!("descriptor {image}");
        for (what, each) in [(image.as_str(), 1), (DISK_MOUNTS, 2), (LOOP_DEVICES, 1)] {
            let count = census.entry(what.to_owned()).or_default();
            *count = count.wrapping_sub(disks * each);
        }
        let many = disks.saturating_sub(self.most_disks);
        census.insert("disks beyond the shelf".to_owned(), many);
        census.retain(|_, count| *count > 0);
        census
    }

    fn loop_devices(&self) -> u64 {
        let backing = |device: &PathBuf| fs::read_to_string(device.join("loop/backing_file"));
        let ours = |file: String| Path::new(file.trim()).starts_with(&self.folder);
        let devices = entries(Path::new("/sys/block"));
        devices
            .iter()
            .filter(|one| backing(one).is_ok_and(ours))
            .count() as u64
    }
}

/// Memory of this process that is in no file, in bytes.
pub fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() * 1024
}

/// What differs, for people.
pub fn difference(before: &Census, after: &Census) -> Vec<String> {
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let of = |census: &Census, name: &String| census.get(name).copied().unwrap_or(0);
    names
        .into_iter()
        .map(|name| (name, of(before, name), of(after, name)))
        .filter(|(_, before, after)| before != after)
        .map(|(name, before, after)| format!("{name}: {before} before, {after} after"))
        .collect()
}

/// A name with every number replaced, so that things of one kind are one.
fn kind(name: &str) -> String {
    let mut kind = String::new();
    for letter in name.chars() {
        match letter {
            '0'..='9' if kind.ends_with('#') => {}
            '0'..='9' => kind.push('#'),
            other => kind.push(other),
        }
    }
    kind
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder);
    let entries = read.into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn lines(path: &str) -> u64 {
    fs::read_to_string(path).unwrap_or_default().lines().count() as u64
}

fn is_zombie(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

/// The folders of this name, in all hierarchies.
pub fn group_folders(below: &Path, instance: &str, found: &mut Vec<PathBuf>) {
    for folder in folders(below) {
        if folder.file_name().is_some_and(|name| name == instance) {
            found.push(folder);
        } else {
            group_folders(&folder, instance, found);
        }
    }
}

fn folders(below: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(below).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

fn files(folder: &Path) -> u64 {
    let below = folders(folder)
        .iter()
        .map(|folder| files(folder))
        .sum::<u64>();
    // Of uids that were given back, some are kept for the next ones, as it suits.
    let spare = if folder.ends_with("passwd") {
        MOST_SPARE
    } else {
        0
    };
    (entries(folder).len() as u64).saturating_sub(spare) + below
}
