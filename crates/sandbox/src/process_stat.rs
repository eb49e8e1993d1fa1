//! What the kernel says of a process or thread in its `stat` file.

use std::fs;
use std::path::Path;

/// `PF_FORKNOEXEC` of the kernel's flags.
const FORKED: u64 = 0x40;

/// One process, or one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// By its letter, of a process its first thread's.
    state: u8,
    pub(crate) parent: u32,
    /// Whether it is a child that runs its parent's program, and has executed none of its own.
    pub(crate) is_a_fork: bool,
    threads: u64,
    /// Pages that the kernel had to find or make for it.
    pub(crate) faults: u64,
    /// Processor time, and that of the children it has collected. In hundredths of a second.
    pub(crate) ticks: u64,
}

impl Stat {
    /// `None` when it is gone.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        Self::parse(&fs::read_to_string(folder.join("stat")).ok()?)
    }

    /// `proc_pid_stat(5)`, from which fields are counted.
    fn parse(text: &str) -> Option<Self> {
        // The name is in brackets, and may have some.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            state: *fields.first()?.as_bytes().first()?,
            parent: u32::try_from(field(4)?).ok()?,
            is_a_fork: field(9)? & FORKED != 0,
            threads: field(20)?,
            faults: field(10)?,
            ticks: field(14)? + field(15)? + field(16)? + field(17)?,
        })
    }

    /// Whether it waits for something that can come, which nothing does that is stopped.
    fn sleeps(self) -> bool {
        self.state == b'S'
    }

    /// Whether its first thread says nothing of the others: that one has ended, or waits for a child
    /// that has its memory.
    fn speaks_for_one(self) -> bool {
        self.threads > 1 && !matches!(self.state, b'T' | b't')
    }
}

/// Whether any thread of a process sleeps, and so is not stopped.
pub(crate) fn sleeps(process: &Path, stat: Stat) -> bool {
    if stat.sleeps() || !stat.speaks_for_one() {
        return stat.sleeps();
    }
    let threads = fs::read_dir(process.join("task"));
    let mut threads = threads.into_iter().flatten().flatten();
    threads.any(|thread| Stat::of(&thread.path()).is_some_and(Stat::sleeps))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "7 (a) S (b) T 1 1 1 0 -1 4194368 210 3 0 0 12 5 40 30 20 0 3 0 \
                        100 4096 50 18446744073709551615 1 1 0 0 0\n";

    #[test]
    fn a_process_is_read_whatever_it_calls_itself() {
        let stat = Stat::parse(TEXT).unwrap();
        assert_eq!((stat.state, stat.threads), (b'T', 3));
        assert_eq!((stat.faults, stat.ticks), (210, 87));
        assert_eq!((stat.parent, stat.is_a_fork), (1, true));
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn only_one_that_is_stopped_speaks_for_all_its_threads() {
        let stat = Stat::parse(TEXT).unwrap();
        assert!(!stat.sleeps() && !stat.speaks_for_one());
        let ended = Stat::parse(&TEXT.replace(") T", ") Z")).unwrap();
        assert!(!ended.sleeps() && ended.speaks_for_one());
        assert!(Stat::parse(&TEXT.replace(") T", ") S")).unwrap().sleeps());
    }

    #[test]
    fn a_thread_that_sleeps_is_found() {
        let own = Path::new("/proc/self");
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || wait.recv());
        let found = || sleeps(own, Stat::of(own).unwrap());
        while !found() {
            std::thread::yield_now();
        }
        drop(done);
        assert!(sleeper.join().unwrap().is_err());
    }
}
