#!/bin/bash
# boot.sh ROOT NAME CGROUP: systemd as the first process of namespaces of its own, with ROOT as its file system.
# CGROUP is an empty directory of the cgroup v2 hierarchy. Its end is the end of everything in it.
set -euo pipefail
export root=$1 name=$2
echo $$ >"$3/cgroup.procs"
# Whoever started it may be killed: then it ends, too.
exec setpriv --pdeathsig KILL unshare --pid --fork --mount --uts --ipc --net --cgroup --kill-child bash -euc '
hostname "$name"
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
cd "$root"
pivot_root . mnt
umount -l /mnt
# Credentials are handed to services by mounts that have to reach them.
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb /lib/systemd/systemd --log-target=journal
'
