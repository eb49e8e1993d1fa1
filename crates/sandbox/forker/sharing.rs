//! Keeps what all forks share from being copied: an object that is only looked at is written to
//! all the same, for its count of references, and its page is copied for it.

use core::ffi::c_void;
use core::ptr::null_mut;

/// What CPython 3.12 and 3.13 have as the count of an object that is never freed and never counted,
/// on 64 bits: PEP 683. The count is the first field of every object.
const IMMORTAL: u64 = u32::MAX as u64;

unsafe extern "C" {
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
