"""Tries what the event names, and returns how much it tried and what it got, which is to be
nothing."""

import ctypes
import mmap
import os
import re
import socket
import stat
import sys
import time


class Tries:
    def __init__(self):
        self.tried, self.got = 0, []

    def refused(self, what, call, *arguments):
        """A call that must raise."""
        self.tried += 1
        try:
            result = call(*arguments)
        except (OSError, ValueError):
            return
        self.got.append("%s: %.200r" % (what, result))

    def never(self, what, condition):
        self.tried += 1
        if condition:
            self.got.append(what)


def handler(event, context):
    time.sleep(event.get("stay", 0))
    tries = Tries()
    more = globals()["try_" + event["try"]](tries, event)
    return {"tried": tries.tried, "got": tries.got, "more": more}


def read(path):
    with open(path, "rb") as file:
        return file.read(1 << 20)


def try_files(tries, event):
    """Files and folders of the host, over every way up."""
    os.symlink("../../../../../..", "/tmp/up")
    os.mkdir("/tmp/below")
    here = os.open("/tmp/below", os.O_RDONLY)
    ways = ["", "/proc/self/root", "/proc/thread-self/root", "/proc/1/root", "/proc/1/cwd",
            "/proc/self/cwd/../../../../..", "/var/task/../../../..", "/run/stash", "/run/stash/..",
            "/proc/self/fd/0/../..", "/proc/self/fd/%d/../../../.." % here, "/tmp/up", "/opt/..",
            "/dev/fd/%d/../../.." % here, "/dev/shm/../../..", "/var/runtime/../../../.."]
    for way in ways:
        for path in event["files"]:
            tries.refused(way + path, read, way + path)
        for path in event["folders"]:
            tries.refused(way + path, os.listdir, way + path)
    tries.never("the host's shadow", os.path.exists("/etc/shadow"))
    marker = pattern(event)
    skipped = ("/proc", "/usr", "/dev", os.path.dirname(os.path.dirname(sys.executable)))
    for folder, folders, files in os.walk("/"):
        folders[:] = [one for one in folders if not os.path.join(folder, one).startswith(skipped)]
        for name in files:
            path = os.path.join(folder, name)
            tries.never("the name of " + path, name in event["names"])
            try:
                tries.never("the marker in " + path, marker.search(read(path)))
            except OSError:
                pass
    return sorted(os.listdir("/"))


def pattern(event):
    """Finds the marker, and not itself."""
    begin, end = event["marker"]
    return re.compile(b"(?:%s)(?:%s)" % (begin.encode(), end.encode()))


def try_code(tries, event):
    """Its own code, and everything else that is not /tmp."""
    own = __file__
    for path in (own, "/var/runtime/python/bootstrap.py", "/etc/passwd", "/usr/bin/env",
                 sys.executable, "/etc/hosts", "/proc/self/exe"):
        tries.refused("write " + path, open, path, "r+b")
        tries.refused("truncate " + path, os.truncate, path, 0)
        tries.refused("remove " + path, os.unlink, path)
        tries.refused("mode " + path, os.chmod, path, 0o777)
        tries.refused("times " + path, os.utime, path)
        tries.refused("link " + path, os.link, path, "/tmp/link")
        tries.refused("rename " + path, os.rename, path, "/tmp/moved")
        tries.refused("attribute " + path, os.setxattr, path, "user.x", b"x")
    for folder in ("/", "/var/task", "/var", "/etc", "/usr", "/usr/lib", "/opt", "/run", "/dev",
                   "/proc", "/var/runtime", "/run/stash", "/run/passwd", "/home", "/root"):
        tries.refused("write to " + folder, open, folder + "/planted", "wb")
        tries.refused("folder in " + folder, os.mkdir, folder + "/planted")
    descriptor = os.open(own, os.O_RDONLY)
    shared = (mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    tries.refused("map to write", mmap.mmap, descriptor, 0, *shared)
    for kind in (stat.S_IFCHR, stat.S_IFBLK):
        tries.refused("a device", os.mknod, "/tmp/device", kind | 0o666, os.makedev(1, 1))
    tries.refused("memory of its own", open, "/proc/self/mem", "r+b")


def try_proc(tries, event):
    """Other processes, and what the kernel shows or takes in /proc."""
    own = str(os.getpid())
    pids = [name for name in os.listdir("/proc") if name.isdigit()]
    tries.never("other processes: %s" % pids, set(pids) != {"1", own})
    for name in ("environ", "maps", "mem", "auxv", "syscall", "stack", "io", "smaps", "pagemap"):
        tries.refused("/proc/1/" + name, read_some, "/proc/1/" + name)
    for name in ("exe", "root", "cwd", "ns/mnt", "ns/pid", "ns/net", "ns/user"):
        tries.refused("/proc/1/" + name, os.readlink, "/proc/1/" + name)
    for name in ("fd", "fdinfo", "map_files", "root"):
        tries.refused("/proc/1/" + name, os.listdir, "/proc/1/" + name)
    for name in ("kcore", "kmsg", "kpagecount", "kpageflags", "vmallocinfo", "slabinfo",
                 "timer_list", "acpi", "scsi"):
        tries.refused("/proc/" + name, read_some, "/proc/" + name)
    for name in ("sysrq-trigger", "sys/kernel/core_pattern", "sys/kernel/hostname",
                 "sys/vm/overcommit_memory", "sys/vm/drop_caches", "sys/kernel/modprobe",
                 "sys/net/ipv4/ip_forward", "sys/user/max_user_namespaces", "self/oom_score_adj",
                 "self/uid_map", "self/gid_map", "self/setgroups", "self/loginuid", "self/comm",
                 "self/attr/current", "self/clear_refs", "1/oom_score_adj", "1/comm"):
        tries.refused("write /proc/" + name, open, "/proc/" + name, "wb", 0)
    try:
        symbols = read("/proc/kallsyms").split(b"\n")[:1000]
    except OSError:
        symbols = []
    tries.never("the kernel's addresses", any(line.split(b" ")[0].strip(b"0") for line in symbols))
    allowed = {"fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"}
    tries.never("devices: %s" % os.listdir("/dev"), not allowed.issuperset(os.listdir("/dev")))
    for folder in ("/sys", "/sys/fs/cgroup", "/boot", "/home"):
        tries.refused(folder, os.listdir, folder)


def read_some(path):
    """A byte, or an error: some files of /proc answer with nothing."""
    with open(path, "rb", 0) as file:
        if not (data := file.read(64)):
            raise ValueError
        return data


def try_descriptors(tries, event):
    """What another left open; returns what there is."""
    kinds = {}
    for descriptor in range(4096):
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            continue
        names = ("SOCK", "FIFO", "CHR", "REG", "DIR", "BLK")
        kinds[descriptor] = next(
            (name for name in names if getattr(stat, "S_IS" + name)(mode)),
            os.readlink("/proc/self/fd/%d" % descriptor))
    expected = {0: "CHR", 1: "FIFO", 2: "FIFO", 3: "SOCK", 4: "FIFO"}
    tries.never("descriptors: %s" % kinds, kinds != expected)
    tries.never("input: " + os.readlink("/proc/self/fd/0"), not os.path.samefile("/proc/self/fd/0", "/dev/null"))
    with open("/proc/self/maps") as maps:
        lines = [line for line in maps if "memfd" in line or "stash" in line or "deleted" in line]
    tries.never("mapped: %s" % lines, lines)


def try_memory(tries, event):
    """What others had in memory: an environment that was, the zygote, the server."""
    marker = pattern(event)
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.readlines():
            begin, end = (int(one, 16) for one in line.split(" ")[0].split("-"))
            if " r" not in line or "[v" in line:
                continue
            memory.seek(begin)
            try:
                tries.never("the marker at " + line, marker.search(memory.read(end - begin)))
            except OSError:
                pass
    found = [value for value in os.environ.values() if marker.search(value.encode())]
    tries.never("variables: %s" % found, found)


def try_network(tries, event):
    """Services of the host, and of others; returns what of the outside it reached."""
    addresses = list(event["addresses"])
    # The far end of its own way out, if it has one.
    addresses += [[gateway, port] for gateway in gateways() for _, port in event["addresses"][:1]]
    for host, port in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as tcp:
            tcp.settimeout(2)
            tries.refused("connect to %s %d" % (host, port), tcp.connect, (host, port))
        # The caller of this sees that none arrives: being sent is not being received.
        with socket.socket(family, socket.SOCK_DGRAM) as udp:
            try:
                udp.sendto(b"x", (host, port))
            except OSError:
                pass
    for name in event["sockets"]:
        with socket.socket(socket.AF_UNIX) as unix:
            tries.refused("connect to " + name, unix.connect, name)
    interfaces = [name for _, name in socket.if_nameindex()]
    tries.never("interfaces: %s" % interfaces, interfaces != event.get("interfaces", ["lo"]))
    with open("/proc/net/unix") as sockets:
        named = [line for line in sockets.read().splitlines()[1:] if len(line.split()) > 7]
    tries.never("sockets: %s" % named, named)
    return [address for address in event.get("outside", []) if connects(address)]


def gateways():
    with open("/proc/net/route") as routes:
        fields = [line.split() for line in routes.readlines()[1:]]
    numbers = {line[2] for line in fields if line[2] != "00000000"}
    return [socket.inet_ntoa(bytes.fromhex(number)[::-1]) for number in numbers]


def connects(address):
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return False
    return True


def try_signals(tries, event):
    """Processes of the host, by their numbers there."""
    for pid in event["pids"]:
        tries.refused("signal %d" % pid, os.kill, pid, 9)
        tries.refused("pidfd of %d" % pid, os.pidfd_open, pid)
        tries.refused("group of %d" % pid, os.killpg, pid, 9)
        tries.refused("priority of %d" % pid, os.setpriority, os.PRIO_PROCESS, pid, 19)
    # Everybody that it may, but itself.
    tries.refused("signal everybody", os.kill, -1, 9)
    for signal in range(1, 65):
        try:
            os.kill(1, signal)
        except OSError:
            pass
    tries.never("init", not os.path.exists("/proc/1"))


def try_escape_in_process(tries, event):
    """System calls of its own process."""
    library = ctypes.CDLL("/var/task/libescape-bootstrap")
    library.escape.restype = ctypes.c_char_p
    tries.never("", False)
    return library.escape().decode()


def try_survive(tries, event):
    """Never returns, and leaves children that have left its session behind."""
    for number in range(8):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for signal in (1, 2, 3, 13, 15):
                    __import__("signal").signal(signal, __import__("signal").SIG_IGN)
                if number % 2:
                    os.execv("/bin/sleep", [event["mark"], "1000"])
                ctypes.CDLL(None).prctl(15, event["mark"].encode(), 0, 0, 0)
                while True:
                    time.sleep(1)
            os._exit(0)
    time.sleep(1000)


def try_processes(tries, event):
    """As many as there may be, each with the mark."""
    ctypes.CDLL(None).prctl(15, event["mark"].encode(), 0, 0, 0)
    children = 0
    try:
        while children < 5000:
            if os.fork() == 0:
                os.setsid()
                time.sleep(1000)
            children += 1
    except OSError:
        pass
    tries.never("%d processes" % children, children > 1024)


def try_space(tries, event):
    """More files and bytes than /tmp and /dev/shm have."""
    sizes = {}
    for folder in ("/tmp", "/dev/shm"):
        total = 0
        with open(folder + "/large", "wb", 0) as file:
            try:
                while total < 1 << 30:
                    total += file.write(bytes(1 << 20))
            except OSError:
                pass
        os.unlink(folder + "/large")
        sizes[folder] = total
        files = 0
        try:
            while files < 1 << 20:
                os.close(os.open("%s/%d" % (folder, files), os.O_CREAT | os.O_WRONLY))
                files += 1
        except OSError:
            pass
        sizes[folder + " files"] = files
    return sizes


def try_instances(tries, event):
    """Descriptors, and inotify instances, of which a user has only so many."""
    libc = ctypes.CDLL(None)
    opened = []
    while (descriptor := libc.inotify_init()) >= 0:
        opened.append(descriptor)
    inotify = len(opened)
    try:
        while True:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    tries.never("%d open files" % len(opened), len(opened) >= 1024)
    for descriptor in opened:
        os.close(descriptor)
    return inotify


def try_memory_file(tries, event):
    """Memory that is no process's."""
    file = os.memfd_create("hoard")
    while True:
        os.write(file, b"x" * (1 << 20))
