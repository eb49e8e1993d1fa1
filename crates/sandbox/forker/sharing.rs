//! Keeps what all forks share from being copied: an object that is only looked at is written to
//! all the same, for its count of references, and its page is copied for it.

use core::ffi::c_void;
use core::ptr::null_mut;

/// What CPython 3.12 and 3.13 have as the count of an object that is never freed and never counted,
/// on 64 bits: PEP 683. The count is the first field of every object.
const IMMORTAL: u64 = u32::MAX as u64;

/// Larger pieces of memory have a mapping of their own, in every C library.
const LARGEST: usize = 64 << 10;
const SMALLEST: usize = 24;
/// Between sizes that allocators tell apart.
const STEP: usize = 16;

unsafe extern "C" {
    fn malloc(length: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
    fn PyList_Size(list: *mut c_void) -> isize;
    fn PyList_GetItem(list: *mut c_void, index: isize) -> *mut c_void;
    fn PyLong_FromLong(value: core::ffi::c_long) -> *mut c_void;
}

/// `immortalise(list)`: the references to each object in it are counted no more. To be called by a
/// CPython whose objects are as said above.
pub extern "C" fn immortalise(_module: *mut c_void, list: *mut c_void) -> *mut c_void {
    // SAFETY: called by the interpreter with its lock held; what is no list has the size -1. The
    // items are live objects, and whoever reads a count later takes this one for what it is.
    unsafe {
        for index in 0..PyList_Size(list) {
            let object = PyList_GetItem(list, index);
            if object.is_null() {
                return null_mut();
            }
            object.cast::<u64>().write(IMMORTAL);
        }
        PyLong_FromLong(0)
    }
}

/// Takes what is free between the C library's pieces of memory, and keeps it: what a fork asks for
/// then lies side by side at the end, instead of on a page here and a page there.
pub fn fill_gaps() {
    let end = end_of_memory();
    let mut length = LARGEST;
    while length >= SMALLEST {
        // SAFETY: what is kept is never used, and what is given back was not either.
        unsafe {
            loop {
                let memory = malloc(length);
                if memory.is_null() {
                    return;
                }
                if memory.expose_provenance() >= end {
                    // Small pieces that are given back are set aside, and so are no gap to be filled.
                    free(memory);
                    break;
                }
            }
        }
        length -= STEP;
    }
}

/// From where on nothing is in use: a large piece that follows the one before lies there.
fn end_of_memory() -> usize {
    // SAFETY: as above.
    unsafe {
        let mut before = malloc(LARGEST);
        for _ in 0..64 {
            let memory = malloc(LARGEST);
            let (first, second) = (before.expose_provenance(), memory.expose_provenance());
            if second > first && second - first < LARGEST + 2 * STEP {
                free(memory);
                free(before);
                return first;
            }
            before = memory;
        }
    }
    // Not an allocator that works so.
    0
}
