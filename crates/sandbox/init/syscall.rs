//! Raw system calls for x86_64 and aarch64: no libc, no errno, so safe between clone and exec.

use core::arch::asm;

/// Runs one system call; a negative result is the negated errno.
///
/// # Safety
/// The number and the arguments must be ones for which the kernel touches only memory that the
/// caller owns for the length of the call.
#[cfg(target_arch = "x86_64")]
#[inline]
pub unsafe fn syscall(number: usize, arguments: [usize; 6]) -> isize {
    let result;
    // SAFETY: the x86_64 system call convention: arguments in these registers, rcx and r11 lost.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Runs one system call; a negative result is the negated errno.
///
/// # Safety
/// The number and the arguments must be ones for which the kernel touches only memory that the
/// caller owns for the length of the call.
#[cfg(target_arch = "aarch64")]
#[inline]
pub unsafe fn syscall(number: usize, arguments: [usize; 6]) -> isize {
    let result;
    // SAFETY: the aarch64 system call convention: number in x8, arguments in x0 to x5.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") arguments[0] as isize => result,
            in("x1") arguments[1],
            in("x2") arguments[2],
            in("x3") arguments[3],
            in("x4") arguments[4],
            in("x5") arguments[5],
            options(nostack),
        );
    }
    result
}
