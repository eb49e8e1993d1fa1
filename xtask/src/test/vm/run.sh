#!/bin/sh
# Runs the tests in every set-up of control groups that a Debian 12 has, and powers off. What it and
# the tests print goes to the second serial port, line by line, for `cargo xtask test --vm` to read.
export PATH=/usr/sbin:/usr/bin HOME=/tmp
groups=/sys/fs/cgroup

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
stty -F /dev/ttyS1 raw
exec </dev/null >/dev/ttyS1 2>&1
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
# With the options that systemd uses.
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 $groups
ln -sf /proc/self/fd /dev/fd
/mnt/busybox ifconfig lo 127.0.0.1 up
hostname guest

controllers="+cpu +memory +pids"
# As systemd lays it out: pid 1 in a scope of its own, slices above services and sessions.
mkdir $groups/init.scope
echo 1 >$groups/init.scope/cgroup.procs
echo "$controllers" >$groups/cgroup.subtree_control
below() {
    mkdir -p "$groups/$1"
    echo "$controllers" >"$groups/$1/cgroup.subtree_control"
}
below system.slice
below user.slice
below user.slice/user-1000.slice

# A service of the system, run by root.
mkdir $groups/system.slice/tests.service
# The login session of a user, which is nobody's but the system's.
mkdir $groups/user.slice/user-1000.slice/session-1.scope
# The user's own service manager, to which its part of the tree is delegated.
delegated=user.slice/user-1000.slice/user@1000.service
below $delegated
mkdir $groups/$delegated/tests.scope
for group in $delegated $delegated/tests.scope; do
    for file in "" /cgroup.procs /cgroup.threads /cgroup.subtree_control; do
        chown 1000:1000 "$groups/$group$file"
    done
done

# in_group GROUP COMMAND...
in_group() {
    group=$1
    shift
    sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$groups/$group" "$@"
}

# suites NAME GROUP TESTS [COMMAND...]: these test programs, through COMMAND, in that control group.
suites() {
    name=$1 group=$2 tests=$3
    shift 3
    for suite in $tests; do
        echo "     Running in the guest, $name: $suite"
        # Names of tests, without spaces.
        in_group "$group" "$@" "/mnt/tests/$suite" --show-output $(cat "/mnt/filters/$suite")
        echo "guest: $suite $name ended with $?"
    done
    # A test program may end in the midst of its last environment; the next server sweeps that, so
    # after all of `kernel`, which comes last, nothing is left.
    [ -s /mnt/filters/kernel ] ||
        find $groups -type d -path '*/kagero*' -printf 'guest: left behind %p\n'
}

user="setpriv --reuid=1000 --regid=1000 --clear-groups --"
suites "as root" system.slice/tests.service "functions kernel"
suites "as a user with delegated control groups" $delegated/tests.scope "functions kernel" $user
# As on a machine that builds, where functions are tested as well.
suites "as a user without control groups" user.slice/user-1000.slice/session-1.scope kernel $user
echo "guest: done"
exec /mnt/busybox poweroff -f
