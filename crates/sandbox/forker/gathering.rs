//! Makes the zygote's memory cheap to fork, where it is.
//!
//! A fork copies an entry for each page that is the zygote's own, and an end looks at each again. Pages
//! that lie side by side in one huge page are copied and let go of together, though each is still
//! copied alone when somebody writes to it. Of pages of files a fork copies nothing, and then asks
//! for them again, one after the other: of the programs that all run, the zygote has a copy too.
//! Nothing else changes: where the kernel has no huge pages, or does not let itself be asked, forks
//! are the same and take longer.

use core::slice;

use crate::birth::thread_pointer;
use crate::mappings::{HUGE, MOST_MAPPINGS, Mapping, find};
use crate::numbers as nr;
use crate::steps::call;

/// In all: Python with what most functions import has eight megabytes.
const MOST: usize = 64 << 20;
/// For the list of mappings.
const SCRATCH: usize = 64 << 10;

const WRITABLE: usize = nr::PROT_READ | nr::PROT_WRITE;

unsafe extern "C" {
    safe fn getpagesize() -> core::ffi::c_int;
}

/// Gathers the private writable memory of this process, which has one thread, and its programs; leaves
/// alone what it cannot move, and all where it cannot look at itself.
pub fn gather() {
    // Shared, so that the list does not have it as a part of something private.
    let Some(scratch) = map(SCRATCH, nr::MAP_SHARED) else {
        return;
    };
    let procfs = procfs();
    if procfs >= 0 {
        let procfs = procfs as usize;
        // SAFETY: fresh memory of this length, which nobody else knows of.
        let text = unsafe { slice::from_raw_parts_mut(scratch as *mut u8, SCRATCH) };
        let length = read_maps(procfs, text);
        let mut mappings = [Mapping::default(); MOST_MAPPINGS];
        let count = find(&text[..length], &mut mappings);
        move_all(&mappings[..count]);
        call(nr::CLOSE, [procfs, 0, 0, 0, 0, 0]);
    }
    call(nr::MUNMAP, [scratch, SCRATCH, 0, 0, 0, 0]);
}

fn move_all(mappings: &[Mapping]) {
    // The kernel writes to where the thread is described, whenever it likes.
    let thread = thread_pointer();
    let movable = || {
        let own = move |one: &&Mapping| !(one.start..one.end()).contains(&thread);
        mappings.iter().filter(own)
    };
    let total = movable().fold(0, |to, one| one.place(to) + one.length);
    if total == 0 || total > MOST {
        return;
    }
    let length = total.next_multiple_of(HUGE) + HUGE;
    let Some(region) = map(length, nr::MAP_PRIVATE | nr::MAP_NORESERVE) else {
        return;
    };
    let start = region.next_multiple_of(HUGE);
    call(
        nr::MADVISE,
        [start, length - HUGE, nr::MADV_HUGEPAGE, 0, 0, 0],
    );
    let mut to = start;
    for one in movable() {
        to = one.place(to);
        if move_one(one, to) && !one.is_text {
            let_go_of_nothing(one);
        }
        to += one.length;
    }
    // What was not needed, before and behind; where the rest was there is nothing any more.
    call(nr::MUNMAP, [region, length, 0, 0, 0, 0]);
}

/// Whether it was moved; what cannot be is left as it was.
fn move_one(one: &Mapping, to: usize) -> bool {
    // SAFETY: both are mapped, and apart; this thread, the only one, writes nothing meanwhile but
    // its registers and its stack, which is not among them.
    unsafe { copy(to, one.start, one.length) };
    // Before it is there: this very code may be a part of it.
    let text = [to, one.length, nr::PROT_READ | nr::PROT_EXEC, 0, 0, 0];
    if one.is_text && call(nr::MPROTECT, text) < 0 {
        return false;
    }
    let flags = nr::MREMAP_MAYMOVE | nr::MREMAP_FIXED;
    let moved = call(
        nr::MREMAP,
        [to, one.length, one.length, flags, one.start, 0],
    );
    moved >= 0
}

/// What a fork adds is its own, and is to be no more than it needs: pages that are empty are as good as
/// never touched.
fn let_go_of_nothing(one: &Mapping) {
    let small = nr::MADV_NOHUGEPAGE;
    call(nr::MADVISE, [one.start, one.length, small, 0, 0, 0]);
    let page = getpagesize() as usize;
    for address in (one.start..one.end()).step_by(page) {
        // SAFETY: mapped, by the move.
        if unsafe { is_empty(address, page) } {
            call(nr::MADVISE, [address, page, nr::MADV_DONTNEED, 0, 0, 0]);
        }
    }
}

fn map(length: usize, kind: usize) -> Option<usize> {
    let flags = kind | nr::MAP_ANONYMOUS;
    let address = call(nr::MMAP, [0, length, WRITABLE, flags, usize::MAX, 0]);
    usize::try_from(address).ok()
}

/// # Safety
/// Both ranges are mapped, page-aligned and apart, and nobody writes to the first or reads the second.
unsafe fn copy(to: usize, from: usize, length: usize) {
    let (to, from) = (to as *mut u64, from as *const u64);
    for index in 0..length / size_of::<u64>() {
        // SAFETY: as the caller says. Volatile, for the source is not this program's to reason about.
        unsafe {
            to.add(index)
                .write_volatile(from.add(index).read_volatile());
        }
    }
}

/// # Safety
/// The range is mapped, and nobody writes to it.
unsafe fn is_empty(start: usize, length: usize) -> bool {
    let words = start as *const u64;
    // SAFETY: as the caller says.
    (0..length / size_of::<u64>()).all(|index| unsafe { words.add(index).read_volatile() } == 0)
}

/// A procfs that is nowhere: a zygote's view has none. Negative where there can be none.
fn procfs() -> isize {
    let name = c"proc".as_ptr() as usize;
    let context = call(nr::FSOPEN, [name, nr::FSOPEN_CLOEXEC, 0, 0, 0, 0]);
    if context < 0 {
        return context;
    }
    let context = context as usize;
    call(nr::FSCONFIG, [context, nr::FSCONFIG_CMD_CREATE, 0, 0, 0, 0]);
    let mount = call(nr::FSMOUNT, [context, nr::FSMOUNT_CLOEXEC, 0, 0, 0, 0]);
    call(nr::CLOSE, [context, 0, 0, 0, 0, 0]);
    mount
}

/// Reads this process's list of mappings.
fn read_maps(procfs: usize, text: &mut [u8]) -> usize {
    let path = c"self/maps".as_ptr() as usize;
    let file = call(nr::OPENAT, [procfs, path, nr::O_CLOEXEC, 0, 0, 0]);
    if file < 0 {
        return 0;
    }
    let file = file as usize;
    let mut length = 0;
    while length < text.len() {
        let free = text.len() - length;
        let at = &raw mut text[length] as usize;
        let read = call(nr::READ, [file, at, free, 0, 0, 0]);
        if read <= 0 {
            break;
        }
        length += read as usize;
    }
    call(nr::CLOSE, [file, 0, 0, 0, 0, 0]);
    length
}
