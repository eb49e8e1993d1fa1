//! The system call filter, compiled once and applied as the last step before the program.
//!
//! A deny-list, because functions bring programs of any language and age: an allow-list breaks
//! them one by one and pushes people to switch it off. What is denied is every way to new
//! privilege, to other processes' memory, or to rarely used kernel code. System calls newer than
//! this list answer ENOSYS, so a later kernel opens nothing by itself.
//!
//! The filter is a binary search: the kernel evaluates it for every system call number when it
//! is installed, and a linear list would make that the dearest step of a start.

use std::collections::BTreeMap;

use crate::plan::{Call, Phase, Plan};

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
const EAFNOSUPPORT: u32 = libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// The last system call this list was written against (`file_setattr`, Linux 6.17).
const NEWEST_KNOWN: u32 = 469;
/// Numbers from here on are the x32 ABI, which no program here needs.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
/// Of `unshare` only: in `clone` the same bit belongs to the exit signal.
const NEW_TIME_NAMESPACE: u32 = 0x80;

const SOCKET_TYPE: u32 = 0xf;
/// The obsolete way to a packet socket.
const SOCK_PACKET: u32 = 10;
/// Linux 6.15; the C library bindings do not name it yet.
const SYS_OPEN_TREE_ATTR: libc::c_long = 467;
const IOCTL_TIOCSTI: u32 = 0x5412;
const IOCTL_TIOCLINUX: u32 = 0x541c;
const PERSONALITY_QUERY: u32 = 0xffff_ffff;

/// Offsets in `struct seccomp_data`; the low half of an argument on a little-endian machine.
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCHITECTURE: u32 = 4;
const fn offset_argument(index: u32) -> u32 {
    16 + 8 * index
}

/// Denied whatever the arguments are.
const DENIED: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_name_to_handle_at,
    libc::SYS_nfsservctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    SYS_OPEN_TREE_ATTR,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[libc::c_long] = &[
    libc::SYS__sysctl,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_modify_ldt,
    libc::SYS_sysfs,
    libc::SYS_uselib,
    libc::SYS_ustat,
];
#[cfg(target_arch = "aarch64")]
const DENIED_HERE: &[libc::c_long] = &[];

/// What the filter answers for one system call number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Answer(u32),
    /// Denied when any of these bits is set in this argument.
    DenyBits {
        argument: u32,
        bits: u32,
    },
    Socket,
    SocketPair,
    Ioctl,
    /// A lease has everybody else who opens the file wait for its holder, 45 s by default: whoever starts
    /// the next function too.
    Fcntl,
    Personality,
}

/// A compiled filter: classic BPF instructions of eight bytes each.
#[derive(Debug, Clone)]
pub(crate) struct Filter(Vec<u64>);

impl Filter {
    pub(crate) fn compile() -> Self {
        let mut program = vec![
            load(OFFSET_ARCHITECTURE),
            jump_equal(ARCHITECTURE, 1, 0),
            answer(KILL),
            load(OFFSET_NUMBER),
        ];
        program.extend(search(&ranges()));
        Self(program)
    }

    /// Adds the step that applies the filter; it needs no-new-privileges to be set.
    pub(crate) fn add(&self, plan: &mut Plan) {
        let instructions = plan.words(&self.0);
        // struct sock_fprog: a u16 length, padded, and a pointer.
        let program = plan.words(&[self.0.len() as u64, instructions]);
        let call = Call::new(libc::SYS_seccomp)
            .with(u64::from(libc::SECCOMP_SET_MODE_FILTER))
            .with(0)
            .with(program);
        plan.push(Phase::Payload, "apply the system call filter", call);
    }
}

/// The first number of each range and its rule, covering every number.
fn ranges() -> Vec<(u32, Rule)> {
    let mut rules = BTreeMap::new();
    for &number in DENIED.iter().chain(DENIED_HERE) {
        rules.insert(number as u32, Rule::Answer(EPERM));
    }
    // Its flags lie in memory, out of a filter's reach; every libc falls back to `clone`.
    rules.insert(libc::SYS_clone3 as u32, Rule::Answer(ENOSYS));
    let namespaces = Rule::DenyBits {
        argument: 0,
        bits: NEW_NAMESPACES,
    };
    rules.insert(libc::SYS_clone as u32, namespaces);
    let namespaces = Rule::DenyBits {
        argument: 0,
        bits: NEW_NAMESPACES | NEW_TIME_NAMESPACE,
    };
    rules.insert(libc::SYS_unshare as u32, namespaces);
    rules.insert(libc::SYS_socket as u32, Rule::Socket);
    rules.insert(libc::SYS_socketpair as u32, Rule::SocketPair);
    rules.insert(libc::SYS_ioctl as u32, Rule::Ioctl);
    rules.insert(libc::SYS_fcntl as u32, Rule::Fcntl);
    rules.insert(libc::SYS_personality as u32, Rule::Personality);

    let mut ranges = vec![(0, Rule::Answer(ALLOW))];
    let mut put = |first: u32, rule: Rule| match ranges.last_mut() {
        Some(last) if last.0 == first => last.1 = rule,
        Some(last) if last.1 == rule => {}
        _ => ranges.push((first, rule)),
    };
    for (number, rule) in rules {
        put(number, rule);
        put(number + 1, Rule::Answer(ALLOW));
    }
    put(NEWEST_KNOWN + 1, Rule::Answer(ENOSYS));
    #[cfg(target_arch = "x86_64")]
    put(X32, Rule::Answer(KILL));
    ranges
}

/// Ranges of one part of the program, whose answers stand at its end, in reach of a conditional jump.
const RANGES_A_PART: usize = 32;

/// A binary search for the range of the loaded number.
fn search(ranges: &[(u32, Rule)]) -> Vec<u64> {
    if ranges.len() <= RANGES_A_PART {
        return part(ranges);
    }
    let (low, high) = ranges.split_at(ranges.len() / 2);
    let below = search(low);
    let mut program = match u8::try_from(below.len()) {
        Ok(skip) => vec![jump_at_least(high[0].0, skip, 0)],
        // A conditional jump reaches only 255 instructions.
        Err(_) => vec![jump_at_least(high[0].0, 0, 1), jump(below.len() as u32)],
    };
    program.extend(below);
    program.extend(search(high));
    program
}

/// The same of few ranges. One instruction tells two answers apart that others give as well: the
/// kernel translates the program anew for each process, and takes its time for each answer.
fn part(ranges: &[(u32, Rule)]) -> Vec<u64> {
    let mut choices = Vec::new();
    let mut program = Vec::new();
    put_part(ranges, &mut program, &mut choices);
    let mut answers: Vec<u32> = Vec::new();
    for (_, _, values) in &choices {
        answers.extend(values);
    }
    answers.sort_unstable();
    answers.dedup();
    let first = program.len();
    for (place, number, values) in choices {
        let skip = |value| {
            let answer = answers.binary_search(&value).expect("each is there");
            u8::try_from(first + answer - place - 1).expect("a part is short")
        };
        program[place] = jump_at_least(number, skip(values[1]), skip(values[0]));
    }
    program.extend(answers.into_iter().map(answer));
    program
}

/// Where a choice stands, its number, and the answers below and from there on.
type Choice = (usize, u32, [u32; 2]);

fn put_part(ranges: &[(u32, Rule)], program: &mut Vec<u64>, choices: &mut Vec<Choice>) {
    match *ranges {
        [] => {}
        [(_, rule)] => program.extend(leaf(rule)),
        [(_, Rule::Answer(below)), (number, Rule::Answer(above))] => {
            choices.push((program.len(), number, [below, above]));
            program.push(0);
        }
        _ => {
            let (low, high) = ranges.split_at(ranges.len() / 2);
            let place = program.len();
            program.push(0);
            put_part(low, program, choices);
            let below = u8::try_from(program.len() - place - 1).expect("a part is short");
            program[place] = jump_at_least(high[0].0, below, 0);
            put_part(high, program, choices);
        }
    }
}

fn leaf(rule: Rule) -> Vec<u64> {
    match rule {
        Rule::Answer(value) => vec![answer(value)],
        Rule::DenyBits { argument, bits } => vec![
            load(offset_argument(argument)),
            jump_any_bit(bits, 0, 1),
            answer(EPERM),
            answer(ALLOW),
        ],
        Rule::Socket => socket(),
        Rule::SocketPair => vec![
            load(offset_argument(0)),
            jump_equal(libc::AF_UNIX as u32, 0, 1),
            answer(ALLOW),
            answer(EAFNOSUPPORT),
        ],
        Rule::Fcntl => vec![
            load(offset_argument(1)),
            jump_equal(libc::F_SETLEASE as u32, 0, 1),
            answer(EPERM),
            answer(ALLOW),
        ],
        Rule::Ioctl => vec![
            load(offset_argument(1)),
            jump_equal(IOCTL_TIOCSTI, 1, 0),
            jump_equal(IOCTL_TIOCLINUX, 0, 1),
            answer(EPERM),
            answer(ALLOW),
        ],
        Rule::Personality => vec![
            load(offset_argument(0)),
            jump_equal(0, 1, 0),
            jump_equal(PERSONALITY_QUERY, 0, 1),
            answer(ALLOW),
            answer(EPERM),
        ],
    }
}

/// UNIX and internet sockets but raw ones, and the netlink of routes that lists interfaces.
/// A family that is not there answers as on a kernel built without it.
fn socket() -> Vec<u64> {
    vec![
        load(offset_argument(0)),
        jump_equal(libc::AF_UNIX as u32, 12, 0),
        jump_equal(libc::AF_INET as u32, 3, 0),
        jump_equal(libc::AF_INET6 as u32, 2, 0),
        jump_equal(libc::AF_NETLINK as u32, 6, 0),
        answer(EAFNOSUPPORT),
        // 6, an internet socket: its type.
        load(offset_argument(1)),
        and(SOCKET_TYPE),
        jump_equal(libc::SOCK_RAW as u32, 4, 0),
        jump_equal(SOCK_PACKET, 3, 0),
        answer(ALLOW),
        // 11, a netlink socket: its protocol, of which NETLINK_ROUTE is 0.
        load(offset_argument(2)),
        jump_equal(0, 1, 0),
        answer(EPERM),
        answer(ALLOW),
    ]
}

fn load(offset: u32) -> u64 {
    instruction(0x20, 0, 0, offset)
}

fn and(mask: u32) -> u64 {
    instruction(0x54, 0, 0, mask)
}

fn jump(skip: u32) -> u64 {
    instruction(0x05, 0, 0, skip)
}

fn jump_equal(value: u32, skip_if: u8, skip_else: u8) -> u64 {
    instruction(0x15, skip_if, skip_else, value)
}

fn jump_at_least(value: u32, skip_if: u8, skip_else: u8) -> u64 {
    instruction(0x35, skip_if, skip_else, value)
}

fn jump_any_bit(bits: u32, skip_if: u8, skip_else: u8) -> u64 {
    instruction(0x45, skip_if, skip_else, bits)
}

fn answer(value: u32) -> u64 {
    instruction(0x06, 0, 0, value)
}

/// A `struct sock_filter`: code, jump if true, jump if false, operand.
fn instruction(code: u16, skip_if: u8, skip_else: u8, operand: u32) -> u64 {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&code.to_ne_bytes());
    bytes[2] = skip_if;
    bytes[3] = skip_else;
    bytes[4..].copy_from_slice(&operand.to_ne_bytes());
    u64::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel would, on a system call with these arguments.
    fn evaluate(filter: &Filter, architecture: u32, number: u32, arguments: [u32; 3]) -> u32 {
        let word = |offset: u32| match offset {
            OFFSET_NUMBER => number,
            OFFSET_ARCHITECTURE => architecture,
            _ => arguments[(offset as usize - 16) / 8],
        };
        let (mut accumulator, mut at) = (0_u32, 0);
        loop {
            let bytes = filter.0[at].to_ne_bytes();
            let operand = u32::from_ne_bytes(bytes[4..].try_into().unwrap());
            at += 1;
            let holds = match bytes[0] {
                0x20 => {
                    accumulator = word(operand);
                    continue;
                }
                0x54 => {
                    accumulator &= operand;
                    continue;
                }
                0x05 => {
                    at += operand as usize;
                    continue;
                }
                0x06 => return operand,
                0x15 => accumulator == operand,
                0x35 => accumulator >= operand,
                0x45 => accumulator & operand != 0,
                code => panic!("unknown instruction {code:#x}"),
            };
            at += usize::from(if holds { bytes[2] } else { bytes[3] });
        }
    }

    fn answer_to(number: libc::c_long, arguments: [u32; 3]) -> u32 {
        evaluate(&Filter::compile(), ARCHITECTURE, number as u32, arguments)
    }

    #[test]
    fn every_known_number_has_the_answer_of_its_rule() {
        let filter = Filter::compile();
        let special = [
            libc::SYS_clone,
            libc::SYS_clone3,
            libc::SYS_unshare,
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_ioctl,
            libc::SYS_fcntl,
            libc::SYS_personality,
        ];
        for number in 0..=NEWEST_KNOWN {
            let long = libc::c_long::from(number as i32);
            if special.contains(&long) {
                continue;
            }
            let denied = DENIED.contains(&long) || DENIED_HERE.contains(&long);
            let expected = if denied { EPERM } else { ALLOW };
            assert_eq!(
                evaluate(&filter, ARCHITECTURE, number, [0; 3]),
                expected,
                "{number}"
            );
        }
        assert_eq!(
            evaluate(&filter, ARCHITECTURE, NEWEST_KNOWN + 1, [0; 3]),
            ENOSYS
        );
    }

    #[test]
    fn foreign_architectures_and_x32_are_killed() {
        let filter = Filter::compile();
        assert_eq!(evaluate(&filter, 0x4000_0003, 1, [0; 3]), KILL);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(evaluate(&filter, ARCHITECTURE, X32 | 1, [0; 3]), KILL);
    }

    #[test]
    fn new_namespaces_are_denied_and_threads_are_not() {
        let thread = (libc::CLONE_VM | libc::CLONE_FS | libc::CLONE_THREAD) as u32;
        assert_eq!(answer_to(libc::SYS_clone, [thread, 0, 0]), ALLOW);
        assert_eq!(
            answer_to(libc::SYS_clone, [libc::SIGCHLD as u32, 0, 0]),
            ALLOW
        );
        assert_eq!(answer_to(libc::SYS_clone3, [0; 3]), ENOSYS);
        assert_eq!(
            answer_to(libc::SYS_unshare, [libc::CLONE_FILES as u32, 0, 0]),
            ALLOW
        );
        for flag in [libc::CLONE_NEWUSER, libc::CLONE_NEWNS, libc::CLONE_NEWNET] {
            assert_eq!(answer_to(libc::SYS_clone, [flag as u32, 0, 0]), EPERM);
            assert_eq!(answer_to(libc::SYS_unshare, [flag as u32, 0, 0]), EPERM);
        }
        assert_eq!(
            answer_to(libc::SYS_unshare, [NEW_TIME_NAMESPACE, 0, 0]),
            EPERM
        );
    }

    #[test]
    fn sockets_are_unix_internet_or_route_netlink() {
        let stream = (libc::SOCK_STREAM | libc::SOCK_CLOEXEC) as u32;
        let raw = (libc::SOCK_RAW | libc::SOCK_CLOEXEC) as u32;
        let socket = |family: i32, kind, protocol| {
            answer_to(libc::SYS_socket, [family as u32, kind, protocol])
        };
        assert_eq!(socket(libc::AF_UNIX, stream, 0), ALLOW);
        assert_eq!(socket(libc::AF_INET, stream, 6), ALLOW);
        assert_eq!(socket(libc::AF_INET6, stream, 0), ALLOW);
        assert_eq!(socket(libc::AF_INET, raw, 1), EPERM);
        assert_eq!(socket(libc::AF_INET6, raw, 1), EPERM);
        assert_eq!(socket(libc::AF_INET, SOCK_PACKET, 0), EPERM);
        assert_eq!(socket(libc::AF_NETLINK, raw, 0), ALLOW);
        assert_eq!(socket(libc::AF_NETLINK, raw, 9), EPERM);
        assert_eq!(socket(libc::AF_PACKET, raw, 3), EAFNOSUPPORT);
        assert_eq!(socket(libc::AF_VSOCK, stream, 0), EAFNOSUPPORT);
        assert_eq!(socket(libc::AF_ALG, stream, 0), EAFNOSUPPORT);
    }

    #[test]
    fn pairs_of_sockets_are_unix() {
        let pair = |family: i32| answer_to(libc::SYS_socketpair, [family as u32, 1, 0]);
        assert_eq!(pair(libc::AF_UNIX), ALLOW);
        assert_eq!(pair(libc::AF_VSOCK), EAFNOSUPPORT);
        assert_eq!(pair(libc::AF_NETLINK), EAFNOSUPPORT);
    }

    #[test]
    fn nobody_is_kept_waiting_by_a_lease() {
        let fcntl = |command: i32| answer_to(libc::SYS_fcntl, [0, command as u32, 0]);
        assert_eq!(fcntl(libc::F_SETLEASE), EPERM);
        assert_eq!(fcntl(libc::F_SETFD), ALLOW);
        assert_eq!(fcntl(libc::F_GETLEASE), ALLOW);
    }

    #[test]
    fn terminals_cannot_be_typed_into_and_personalities_not_changed() {
        assert_eq!(answer_to(libc::SYS_ioctl, [0, IOCTL_TIOCSTI, 0]), EPERM);
        assert_eq!(answer_to(libc::SYS_ioctl, [0, IOCTL_TIOCLINUX, 0]), EPERM);
        assert_eq!(
            answer_to(libc::SYS_ioctl, [0, libc::FIONREAD as u32, 0]),
            ALLOW
        );
        assert_eq!(
            answer_to(libc::SYS_personality, [PERSONALITY_QUERY, 0, 0]),
            ALLOW
        );
        assert_eq!(answer_to(libc::SYS_personality, [0x0040_0000, 0, 0]), EPERM);
    }
}
