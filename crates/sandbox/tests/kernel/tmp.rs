//! `/tmp` on disk: its size, whose it is, how long it lasts, and that it is not memory.

use std::fs;
use std::io::{BufRead, BufReader, Write, pipe};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sandbox::{Host, HostConfig, Identity, Sandbox, Spec, Stream};

use crate::rig::{PATIENCE, Rig, is_root, shell, skip};

const MIB: u64 = 1 << 20;

/// Where a file lies is noted in its inode as long as it lies in four pieces, and else in blocks that
/// count as well. It has more while it is written out in the middle of being written: by `sync`,
/// or when the host has much to write. One block or two were seen.
pub const FOR_EXTENTS: u64 = 16 << 12;

/// A rig whose host has disks, or none where there can be none.
fn rig() -> Option<Rig> {
    let rig = Rig::new();
    if rig.has("tmp on disk") {
        return Some(rig);
    }
    skip("no /tmp on disk here");
    None
}

/// A shell that carries out one line of a script after another, and says when it is done.
struct Talk {
    sandbox: Sandbox,
    input: std::io::PipeWriter,
    output: BufReader<std::io::PipeReader>,
}

impl Talk {
    fn start(rig: &Rig, mut spec: Spec) -> Self {
        spec.args = vec![
            "-c".into(),
            "while read -r line; do eval \"$line\" 2>&1; echo .; done".into(),
        ];
        let (theirs, input) = pipe().unwrap();
        spec.stdio.stdin = Stream::Fd(OwnedFd::from(theirs));
        let (sandbox, output) = rig.start(spec);
        Self {
            sandbox,
            input,
            output: BufReader::new(output),
        }
    }

    fn say(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").unwrap();
        let mut answer = String::new();
        while !answer.ends_with("\n.\n") && answer != ".\n" {
            assert_ne!(self.output.read_line(&mut answer).unwrap(), 0, "{answer}");
        }
        answer.truncate(answer.len() - 2);
        answer
    }
}

fn sized(bytes: u64) -> Spec {
    let mut spec = shell("");
    spec.limits.tmp_bytes = bytes;
    spec
}

#[test]
fn the_size_is_a_hard_limit_answered_with_enospc() {
    let Some(rig) = rig() else { return };
    let mut talk = Talk::start(&rig, sized(64 * MIB));
    let said = talk.say("head -c 100M /dev/zero > /tmp/big; wc -c < /tmp/big");
    assert!(said.contains("No space left on device"), "{said}");
    let written: u64 = said.lines().last().unwrap().parse().unwrap();
    assert!((63 * MIB..=64 * MIB).contains(&written), "{written}");
    // Neither a second file nor space set aside without writing gets past it.
    let said = talk.say("head -c 9 /dev/zero > /tmp/more; fallocate -l 10M /tmp/aside");
    assert_eq!(said.matches("No space left").count(), 2, "{said}");
    let said = talk.say("rm /tmp/*; head -c 60M /dev/zero > /tmp/again && echo fits");
    assert_eq!(said, "fits\n");
}

#[test]
fn a_file_that_is_being_written_out_keeps_to_the_size_as_well() {
    let Some(rig) = rig() else { return };
    let mut talk = Talk::start(&rig, sized(4 * MIB));
    talk.say(
        ": > /tmp/big; for i in 1 2 3; do \
         (while :; do sync /tmp/big; sync -f /tmp; done) & done; echo",
    );
    for _ in 0..50 {
        let said = talk.say(
            "head -c 20M /dev/zero > /tmp/big; wc -c < /tmp/big; : > /tmp/big; \
             head -c 3M /dev/zero > /tmp/big && echo fits; : > /tmp/big",
        );
        let lines: Vec<_> = said.lines().collect();
        let [refused, written, fits] = lines[..] else {
            panic!("{said}")
        };
        assert!(refused.contains("No space left on device"), "{said}");
        let written: u64 = written.parse().unwrap();
        assert!(
            (4 * MIB - FOR_EXTENTS..=4 * MIB).contains(&written),
            "{said}"
        );
        assert_eq!(fits, "fits");
    }
}

#[test]
fn the_largest_size_of_lambda_is_given() {
    let Some(rig) = rig() else { return };
    let mut talk = Talk::start(&rig, sized(10_240 * MIB));
    let said = talk.say("stat -f -c '%a %S %c' /tmp");
    let numbers: Vec<u64> = said
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect();
    assert_eq!(numbers[0] * numbers[1], 10_240 * MIB);
    assert!((65_536..=1 << 20).contains(&numbers[2]), "{said}");
    assert_eq!(
        talk.say("fallocate -l 10000M /tmp/big && echo fits"),
        "fits\n"
    );
}

#[test]
fn the_size_can_be_changed_while_in_use() {
    let rig = Rig::new();
    if !is_root() {
        return skip("takes root");
    }
    for identity in [
        Identity::Pooled,
        Identity::Fixed {
            uid: 12_345,
            gid: 12_345,
        },
    ] {
        let mut spec = sized(8 * MIB);
        spec.identity = identity;
        let mut talk = Talk::start(&rig, spec);
        let write =
            |megabytes: u32| format!("head -c {megabytes}M /dev/zero > /tmp/f && echo fits");
        assert!(talk.say(&write(12)).contains("No space left"));
        talk.sandbox.resize_tmp(16 * MIB).unwrap();
        assert_eq!(talk.say(&write(12)), "fits\n");
        if talk.sandbox.has_tmp_on_disk() {
            talk.sandbox.resize_tmp(4 * MIB).unwrap();
            assert_eq!(talk.say("wc -c < /tmp/f"), "12582912\n");
            assert!(
                talk.say("head -c 9 /dev/zero > /tmp/more")
                    .contains("No space left")
            );
        }
    }
}

#[test]
fn what_is_written_stays_for_the_next_invocation() {
    let Some(rig) = rig() else { return };
    let mut talk = Talk::start(&rig, sized(512 * MIB));
    let first = talk.say("head -c 20M /dev/urandom > /tmp/kept; cksum < /tmp/kept");
    talk.sandbox.freeze().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    talk.sandbox.thaw().unwrap();
    assert_eq!(talk.say("cksum < /tmp/kept"), first);
}

#[test]
fn it_is_not_the_functions_memory() {
    let Some(rig) = rig() else { return };
    let mut spec = sized(512 * MIB);
    spec.limits.memory_bytes = 128 * MIB;
    let mut talk = Talk::start(&rig, spec);
    let said = talk.say(
        "i=0; while [ $i -lt 400 ]; do head -c 1M /dev/zero; i=$((i+1)); done > /tmp/big; \
         wc -c < /tmp/big; cksum < /tmp/big; head -c 400M /dev/zero | cksum",
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "419430400", "{said}");
    assert_eq!(lines[1], lines[2], "read back as written");
    let usage = talk.sandbox.usage().unwrap();
    assert_eq!(usage.oom_kills, 0, "{usage:?}");
    // A shell with 400 MB of files has not used 128 MB of memory.
    assert!(usage.memory_peak_bytes < 32 * MIB, "{usage:?}");
}

#[test]
fn others_do_not_see_it_and_nothing_is_left_of_it() {
    let Some(rig) = rig() else { return };
    let mut one = Talk::start(&rig, sized(512 * MIB));
    let mut other = Talk::start(&rig, sized(512 * MIB));
    assert_eq!(
        one.say("ls -A /tmp; echo secret > /tmp/mine; ls -A /tmp"),
        "mine\n"
    );
    assert_eq!(other.say("ls -A /tmp; mkdir /tmp/d; rmdir /tmp/d"), "");
    drop((one, other));
    // More than are kept ready, so that a disk that was used and kept would come up.
    for _ in 0..24 {
        assert_eq!(rig.shell("ls -A /tmp"), "");
    }
}

#[test]
fn devices_and_setuid_programs_mean_nothing_in_it() {
    let Some(rig) = rig() else { return };
    let said = rig.shell("grep ' /tmp ' /proc/self/mounts; stat -c '%a %u' /tmp");
    let (mount, folder) = said.trim_end().split_once('\n').unwrap();
    assert!(mount.contains(" ext4 rw,nosuid,nodev,"), "{mount}");
    assert_eq!(folder, "1777 0");
    let said = rig.shell(
        "echo > /tmp/f; chown 0 /tmp/f 2>&1; chmod 700 /tmp 2>&1; rmdir /tmp 2>&1; \
         fstrim /tmp 2>&1; chattr +i /tmp/f 2>&1; stat -c %u /tmp/f",
    );
    assert_eq!(said.lines().count(), 6, "{said}");
    assert_ne!(said.lines().last().unwrap(), "0", "{said}");
}

/// Paths of the images that loop devices show, of this host's folder.
fn attached(state: &Path) -> Vec<PathBuf> {
    let devices = fs::read_dir("/sys/block").unwrap();
    let files = devices.filter_map(|device| {
        let file = device.ok()?.path().join("loop/backing_file");
        fs::read_to_string(file).ok().map(PathBuf::from)
    });
    files.filter(|file| file.starts_with(state)).collect()
}

/// The kernel lets go of a device some moments after its last user.
fn wait_until_detached(state: &Path) {
    let begun = Instant::now();
    while !attached(state).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{:?}", attached(state));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn no_device_and_no_file_outlives_the_host() {
    let Some(rig) = rig() else { return };
    let state = rig.config.state_dir.clone();
    let mut talk = Talk::start(&rig, sized(512 * MIB));
    talk.say("head -c 50M /dev/zero > /tmp/big");
    assert!(!attached(&state).is_empty());
    let images = fs::read_dir(&state).unwrap();
    let named = images.filter(|entry| entry.as_ref().unwrap().path().is_file());
    assert_eq!(named.count(), 0, "an image has a name that could stay");
    drop((talk, rig));
    wait_until_detached(&state);
}

/// Bytes that this host's images take of the disk: the server, which has them open, is this process.
fn taken(state: &Path) -> u64 {
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let images = open.filter(|entry| {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        target.starts_with(state) && target.to_string_lossy().ends_with("(deleted)")
    });
    let blocks = images.filter_map(|entry| fs::metadata(entry.path()).ok());
    blocks.map(|metadata| metadata.blocks() * 512).sum()
}

#[test]
fn what_is_removed_is_given_back_to_the_host() {
    let Some(rig) = rig() else { return };
    let mut talk = Talk::start(&rig, sized(512 * MIB));
    let write = "head -c 300M /dev/zero > /tmp/big; sync /tmp/big; echo written";
    assert_eq!(talk.say(write), "written\n");
    let state = &rig.config.state_dir;
    assert!(taken(state) > 290 * MIB, "{}", taken(state));
    talk.say("rm /tmp/big");
    let begun = Instant::now();
    while taken(state) > 100 * MIB {
        assert!(begun.elapsed() < PATIENCE, "{}", taken(state));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_user_shared_with_others_has_it_in_memory() {
    let Some(rig) = rig() else { return };
    let mut spec = shell("grep ' /tmp ' /proc/self/mounts");
    spec.identity = Identity::Fixed {
        uid: 12_345,
        gid: 12_345,
    };
    let said = rig.run(spec).output;
    assert!(said.starts_with("tmpfs "), "{said}");
}

/// A small file system of the test's own, unmounted at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(bytes).unwrap();
        let mount_point = folder.path().join("disk");
        fs::create_dir(&mount_point).unwrap();
        let run = |program: &str, args: &[&str]| {
            let status = Command::new(program).args(args).status();
            assert!(status.unwrap().success(), "{program}");
        };
        let (image, mount_point) = (image.to_str().unwrap(), mount_point.to_str().unwrap());
        run("mkfs.ext4", &["-q", "-F", image]);
        run("mount", &["-o", "loop", image, mount_point]);
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("disk")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        assert!(unmounted.unwrap().success());
    }
}

#[test]
fn a_full_host_is_a_full_tmp_and_keeps_its_reserve() {
    if rig().is_none() {
        return;
    }
    let small = SmallDisk::mount(1 << 30);
    let state = small.path().join("sandboxes");
    let name = format!("test-{}-full", std::process::id());
    let host = Host::open(&HostConfig::new(&state, name)).unwrap();
    let mut spec = shell("head -c 3000M /dev/zero > /tmp/big; wc -c < /tmp/big; sync /tmp/big");
    spec.limits.tmp_bytes = 10_240 * MIB;
    let (reader, writer) = pipe().unwrap();
    spec.stdio.stdout = Stream::Fd(OwnedFd::from(writer.try_clone().unwrap()));
    spec.stdio.stderr = Stream::Fd(OwnedFd::from(writer));
    let sandbox = host.spawn(spec).unwrap();
    let said = std::io::read_to_string(reader).unwrap();
    // And all that was accepted reached the disk: `sync` has nothing to say.
    let lines: Vec<&str> = said.lines().collect();
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(lines.len(), 2, "{said}");
    let written: u64 = lines[1].parse().unwrap();
    assert!((200 * MIB..1000 * MIB).contains(&written), "{said}");
    fs::write(state.join("of-the-server"), vec![1; 8 << 20]).unwrap();
    drop((sandbox, host));
    wait_until_detached(&state);
}
