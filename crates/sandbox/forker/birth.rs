//! The clone that becomes a sandbox, in the zygote's own memory.
//!
//! It lives from the clone to the execution of init and does little: a copy of the zygote's memory
//! would be made for it, only to be thrown away. So it borrows the memory, on a stack of its own,
//! while the zygote is suspended, and what it forks is the only copy.

use core::arch::asm;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_void};
use core::mem::size_of;
use core::ptr::null_mut;

use crate::clone::CloneArguments;
use crate::numbers as nr;
use crate::steps::call;

/// Shared memory, and the zygote waits until the clone has been executed or has ended.
pub const BORROWED: u64 = nr::CLONE_VM | nr::CLONE_VFORK;

/// Some hundred bytes of it are used, and what the C library's `fork` needs.
const STACK: usize = 64 << 10;

#[repr(C, align(16))]
struct Stack(UnsafeCell<[u8; STACK]>);

// SAFETY: only the kernel is told its address, for one clone at a time.
unsafe impl Sync for Stack {}

static CHILD_STACK: Stack = Stack(UnsafeCell::new([0; STACK]));

/// What the clone finds in the memory that it borrows.
#[repr(C)]
pub struct Job {
    pub note: Option<ProcessorNote>,
}

/// Clones. In the zygote the result is `clone3`'s; `child` is called in the clone, and where that
/// returns, the result is 0, on the stack that the zygote has.
///
/// # Safety
/// `arguments` ask for [`BORROWED`]. In the clone, `child` never returns, and it leaves the memory
/// as the zygote may find it; in a process that it forks, it may return.
pub unsafe fn clone_into(
    arguments: &mut CloneArguments,
    child: extern "C" fn(&Job),
    job: &Job,
) -> isize {
    arguments.stack = CHILD_STACK.0.get().expose_provenance() as u64;
    arguments.stack_size = STACK as u64;
    // SAFETY: as the caller promises.
    unsafe { clone3(arguments, child, job) }
}

/// # Safety
/// As for [`clone_into`]; the stack that the arguments name is unused.
#[cfg(target_arch = "x86_64")]
unsafe fn clone3(arguments: &CloneArguments, child: extern "C" fn(&Job), job: &Job) -> isize {
    let result;
    // SAFETY: the zygote sees an ordinary system call. Whoever returns from `child` is a fork, has
    // this frame as it was, and by the calling convention every register that a call preserves.
    unsafe {
        asm!(
            "mov r12, rsp",
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rdi, r13",
            "call r14",
            "mov rsp, r12",
            "xor eax, eax",
            "2:",
            inlateout("rax") nr::CLONE3 as isize => result,
            in("rdi") core::ptr::from_ref(arguments),
            in("rsi") size_of::<CloneArguments>(),
            in("r13") core::ptr::from_ref(job),
            in("r14") child,
            out("r12") _,
            clobber_abi("C"),
        );
    }
    result
}

/// # Safety
/// As for [`clone_into`]; the stack that the arguments name is unused.
#[cfg(target_arch = "aarch64")]
unsafe fn clone3(arguments: &CloneArguments, child: extern "C" fn(&Job), job: &Job) -> isize {
    let result;
    // SAFETY: the zygote sees an ordinary system call. Whoever returns from `child` is a fork, has
    // this frame as it was, and by the calling convention every register that a call preserves.
    unsafe {
        asm!(
            "mov x20, sp",
            "svc 0",
            "cbnz x0, 2f",
            "mov x0, x21",
            "blr x22",
            "mov sp, x20",
            "mov x0, xzr",
            "2:",
            in("x8") nr::CLONE3,
            inlateout("x0") core::ptr::from_ref(arguments) => result,
            in("x1") size_of::<CloneArguments>(),
            in("x21") core::ptr::from_ref(job),
            in("x22") child,
            out("x20") _,
            clobber_abi("C"),
        );
    }
    result
}

unsafe extern "C" {
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// Where the C library keeps what the kernel tells a thread of its processor (`rseq`).
#[derive(Clone, Copy)]
pub struct ProcessorNote {
    offset: isize,
    size: usize,
}

/// What the C library registers with, on each kind of processor.
#[cfg(target_arch = "x86_64")]
const SIGNATURE: usize = 0x5305_3053;
#[cfg(target_arch = "aarch64")]
const SIGNATURE: usize = 0xd428_bc00;

/// The length that the kernel took first, and takes from everybody.
const SHORTEST: usize = 32;

impl ProcessorNote {
    /// `None` where the C library has none: before glibc 2.35, or told so.
    pub fn find() -> Option<Self> {
        // SAFETY: C strings; the default search order.
        let (offset, size) = unsafe {
            (
                dlsym(null_mut(), c"__rseq_offset".as_ptr()),
                dlsym(null_mut(), c"__rseq_size".as_ptr()),
            )
        };
        if offset.is_null() || size.is_null() {
            return None;
        }
        // SAFETY: by these names the C library has a `ptrdiff_t` and an `unsigned int`.
        let (offset, size) = unsafe { (*offset.cast::<isize>(), *size.cast::<u32>()) };
        let size = size as usize;
        (size > 0).then_some(Self { offset, size })
    }

    /// Has the kernel keep it up to date in this process: what shares another's memory begins
    /// without, and so do its forks.
    pub fn register(self) {
        let address = thread_pointer().wrapping_add_signed(self.offset);
        call(
            nr::RSEQ,
            [address, self.size.max(SHORTEST), 0, SIGNATURE, 0, 0],
        );
    }
}

#[cfg(target_arch = "x86_64")]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads the thread control block's own address, which is its first word.
    unsafe { asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly)) };
    pointer
}

#[cfg(target_arch = "aarch64")]
pub fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, nomem)) };
    pointer
}
