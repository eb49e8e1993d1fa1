#!/busybox sh
# The guest's first program: mounts the Debian disk and starts run.sh there as pid 1.
b=/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs devtmpfs /dev
for module in $($b cat /modules/order); do
    $b insmod "/modules/$module" || $b echo "guest: cannot load $module" >/dev/console
done
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    $b test -b /dev/vda && break
    $b sleep 0.2
done
$b mount -t ext4 -o ro /dev/vda /root || exec $b poweroff -f
$b mount -t tmpfs -o mode=755 tmpfs /root/mnt
$b cp -a /busybox /tests /filters /run.sh /root/mnt/
exec $b switch_root /root /mnt/run.sh
