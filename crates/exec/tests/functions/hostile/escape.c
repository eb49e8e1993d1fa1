/* Tries system calls that lead out of an environment. Prints `GOT` and a name for each that led
 * anywhere, then how many it tried. A program and, for what runs it in its own process, a library. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char report[16384];
static size_t used;
static int tried;
/* Whatever a call may read or write. */
static char scratch[4096];

static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(report + used, sizeof report - used, format, arguments);
    va_end(arguments);
    if (written > 0 && used + written < sizeof report) used += written;
}

/* A call that must fail, whatever the reason. */
static void must_fail(const char *name, long result) {
    tried++;
    if (result != -1) say("GOT %s: %ld\n", name, result);
}

/* A call that the filter must refuse, before the kernel looks at its arguments. */
static void must_be_denied(const char *name, long result) {
    tried++;
    if (result != -1 || (errno != EPERM && errno != ENOSYS && errno != EAFNOSUPPORT))
        say("GOT %s: %ld, errno %d\n", name, result, errno);
}

#define DENIED(name, ...) must_be_denied(#name, syscall(SYS_##name, ##__VA_ARGS__))

static void namespaces(void) {
    static const struct { const char *name; unsigned long flag; const char *file; } kinds[] = {
        {"user", CLONE_NEWUSER, "/proc/self/ns/user"}, {"mnt", CLONE_NEWNS, "/proc/self/ns/mnt"},
        {"pid", CLONE_NEWPID, "/proc/self/ns/pid"}, {"net", CLONE_NEWNET, "/proc/self/ns/net"},
        {"ipc", CLONE_NEWIPC, "/proc/self/ns/ipc"}, {"uts", CLONE_NEWUTS, "/proc/self/ns/uts"},
        {"cgroup", CLONE_NEWCGROUP, "/proc/self/ns/cgroup"}, {"time", 0x80, "/proc/self/ns/time"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        must_be_denied(kinds[i].name, syscall(SYS_unshare, kinds[i].flag));
        /* In clone, 0x80 is a part of the exit signal. */
        if (kinds[i].flag != 0x80) {
            long pid = syscall(SYS_clone, kinds[i].flag | SIGCHLD, 0, 0, 0, 0);
            if (pid == 0) _exit(0);
            must_be_denied(kinds[i].name, pid);
        }
        uint64_t arguments[11] = {kinds[i].flag, [4] = SIGCHLD};
        long pid = syscall(SYS_clone3, arguments, sizeof arguments);
        if (pid == 0) _exit(0);
        must_be_denied("clone3", pid);
        int fd = open(kinds[i].file, O_RDONLY | O_CLOEXEC);
        must_be_denied("setns", syscall(SYS_setns, fd, 0));
        close(fd);
    }
}

static void mounts(void) {
    must_be_denied("mount", mount("tmpfs", "/tmp", "tmpfs", 0, ""));
    must_be_denied("bind", mount("/usr", "/tmp", 0, MS_BIND, 0));
    must_be_denied("remount", mount(0, "/var/task", 0, MS_REMOUNT | MS_BIND, 0));
    must_be_denied("umount", umount2("/proc", MNT_DETACH));
    DENIED(pivot_root, "/", "/tmp");
    DENIED(open_tree, AT_FDCWD, "/", 1);
    DENIED(move_mount, -1, "", AT_FDCWD, "/", 4);
    DENIED(fsopen, "tmpfs", 0);
    DENIED(fspick, AT_FDCWD, "/", 0);
    DENIED(mount_setattr, AT_FDCWD, "/", 0, scratch, 32);
    DENIED(open_by_handle_at, AT_FDCWD, scratch, O_RDONLY);
    DENIED(name_to_handle_at, AT_FDCWD, "/", scratch, scratch, 0);
    DENIED(swapon, "/tmp/x", 0);
    DENIED(quotactl, 0, "", 0, 0);
    DENIED(fanotify_init, 0, 0);
}

/* The classic way out of a chroot, were there one and were it allowed. */
static void change_root(void) {
    struct stat before = {0}, after = {0};
    stat("/", &before);
    int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mkdir("/tmp/jail", 0755);
    must_be_denied("chroot", chroot("/tmp/jail"));
    if (fchdir(root) != 0) say("GOT no further: fchdir, errno %d\n", errno);
    for (int i = 0; i < 64; i++)
        if (chdir("..") != 0) break;
    must_be_denied("chroot", chroot("."));
    stat(".", &after);
    tried++;
    if (before.st_dev != after.st_dev || before.st_ino != after.st_ino) say("GOT above the root\n");
    close(root);
}

static void privileges(void) {
    unsigned all[6] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u}, header[2] = {0x20080522, 0};
    must_fail("capset", syscall(SYS_capset, header, all));
    must_fail("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0));
    must_fail("new privileges", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    must_fail("no filter", prctl(PR_SET_SECCOMP, 0, 0, 0, 0));
    must_fail("setuid", setuid(0));
    must_fail("setgid", setgid(0));
    must_fail("setresuid", setresuid(1900000001, 1900000001, 1900000001));
    gid_t none = 0;
    must_fail("setgroups", syscall(SYS_setgroups, 1, &none));
    DENIED(personality, 0x0040000);
    DENIED(sethostname, "x", 1);
    DENIED(settimeofday, scratch, 0);
    DENIED(clock_settime, 0, scratch);
    DENIED(acct, 0);
    DENIED(reboot, 0, 0, 0, 0);
    DENIED(syslog, 3, scratch, 16);
    DENIED(vhangup);
    struct rlimit more = {1 << 20, 1 << 20};
    must_fail("more files", setrlimit(RLIMIT_NOFILE, &more));
    must_fail("priority", setpriority(PRIO_PROCESS, 0, -20));
    struct sched_param first = {.sched_priority = 1};
    must_fail("real time", sched_setscheduler(0, SCHED_FIFO, &first));
    must_fail("disk priority", syscall(SYS_ioprio_set, 1, 0, 1 << 13));
}

static void kernel(void) {
    DENIED(bpf, 0, scratch, 64);
    DENIED(perf_event_open, scratch, 0, -1, -1, 0);
    DENIED(keyctl, 0, -4, 1, 0, 0);
    DENIED(add_key, "user", "x", "y", 1, -4);
    DENIED(request_key, "user", "x", 0, -4);
    DENIED(io_uring_setup, 8, scratch);
    DENIED(io_uring_enter, 0, 0, 0, 0, 0, 0);
    DENIED(io_uring_register, 0, 0, 0, 0);
    DENIED(userfaultfd, 0);
    DENIED(init_module, scratch, 16, "");
    DENIED(finit_module, 0, "", 0);
    DENIED(delete_module, "x", 0);
    DENIED(kexec_load, 0, 0, 0, 0);
    DENIED(kexec_file_load, 0, 0, 0, "", 0);
    DENIED(lookup_dcookie, 0L, scratch, 16);
#ifdef __x86_64__
    DENIED(iopl, 3);
    DENIED(ioperm, 0, 16, 1);
    DENIED(modify_ldt, 0, scratch, 16);
#endif
}

static void processes(void) {
    DENIED(ptrace, PTRACE_TRACEME, 0, 0, 0);
    DENIED(ptrace, PTRACE_ATTACH, 1, 0, 0);
    DENIED(ptrace, PTRACE_SEIZE, 1, 0, 0);
    struct iovec here = {scratch, 16}, there = {(void *)0x200000000, 16};
    DENIED(process_vm_readv, 1, &here, 1, &there, 1, 0);
    DENIED(process_vm_writev, 1, &here, 1, &there, 1, 0);
    DENIED(kcmp, 1, getpid(), 0, 0, 0);
    DENIED(move_pages, 1, 0, 0, 0, 0, 0);
    must_fail("migrate_pages", syscall(SYS_migrate_pages, 1, 0, 0, 0));
    int init = syscall(SYS_pidfd_open, 1, 0);
    DENIED(pidfd_getfd, init, 0, 0);
    close(init);
    size_t length;
    void *head;
    must_fail("robust list", syscall(SYS_get_robust_list, 1, &head, &length));
    /* Both may answer that all is well, and neither may do anything. */
    kill(1, SIGKILL);
    kill(1, SIGSTOP);
}

static void sockets(void) {
    for (int family = 0; family < 64; family++) {
        if (family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK)
            continue;
        for (int kind = 1; kind <= 6; kind++) {
            char name[32];
            snprintf(name, sizeof name, "socket %d %d", family, kind);
            must_be_denied(name, socket(family, kind, 0));
        }
    }
    must_be_denied("raw", socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    must_be_denied("raw 6", socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
    must_be_denied("packet", socket(AF_INET, SOCK_PACKET, 0));
    for (int protocol = 1; protocol < 24; protocol++)
        must_be_denied("netlink", socket(AF_NETLINK, SOCK_RAW, protocol));
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq lo = {.ifr_name = "lo"};
    lo.ifr_flags = 0;
    must_fail("lo down", ioctl(fd, SIOCSIFFLAGS, &lo));
    must_fail("address", ioctl(fd, SIOCSIFADDR, &lo));
    must_fail("type into", ioctl(0, TIOCSTI, "x"));
    close(fd);
}

#ifdef __x86_64__
/* Other system call tables: the kernel must end whoever tries. */
static void other_tables(void) {
    for (int table = 0; table < 2; table++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0) {
            long result = 20; /* getpid of the 32-bit table */
            if (table == 0) __asm__ volatile("int $0x80" : "+a"(result));
            else syscall(0x40000000 | SYS_getpid);
            _exit(0);
        }
        waitpid(pid, &status, 0);
        tried++;
        /* Where the kernel has no such table, the call cannot even be made. */
        if (WIFEXITED(status)) say("GOT another table: %d\n", table);
    }
}
#endif

const char *escape(void) {
    used = 0;
    tried = 0;
    namespaces();
    mounts();
    change_root();
    privileges();
    kernel();
    processes();
    sockets();
#ifdef __x86_64__
    other_tables();
#endif
    say("tried %d\n", tried);
    return report;
}

int main(void) {
    fputs(escape(), stdout);
    return 0;
}
