//! Symbols that compiled code may refer to and that a program with std would find in its libraries.

/// # Safety
/// As C's `memset`: `start` is valid for `length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(start: *mut u8, byte: i32, length: usize) -> *mut u8 {
    for index in 0..length {
        // SAFETY: within the caller's memory. Volatile, or the compiler would make it a memset.
        unsafe { start.add(index).write_volatile(byte as u8) };
    }
    start
}

/// # Safety
/// As C's `memcpy`: both are valid for `length` bytes and do not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    for index in 0..length {
        // SAFETY: within the caller's memory. Volatile, or the compiler would make it a memcpy.
        unsafe {
            to.add(index)
                .write_volatile(from.add(index).read_volatile())
        };
    }
    to
}

/// Core's panic paths name it; none of them survives in here, and nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
