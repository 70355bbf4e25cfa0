#!/usr/bin/env bash
# Boots the systemd of this machine as process 1 of namespaces of its own. Its root is this machine's, read only, with a
# layer in memory over it: units and files of the test. Ends with the process that started it.
#
#   boot.sh SCRATCH PROGRAM     SCRATCH/tree is laid over the root, PROGRAM stands for every program of ours
set -euo pipefail
scratch=$1 program=$2 stage=${3:-outside}

# In a mount namespace: control groups of its own, which it takes away again.
outside() {
    mount --make-rprivate /
    mkdir -p "$scratch/cgroup" "$scratch/layer" "$scratch/root"
    mount -t cgroup2 cgroup2 "$scratch/cgroup"
    own=$scratch/cgroup/chancery-test-$$
    mkdir "$own"
    trap 'find "$own" -depth -type d -exec rmdir {} \; ; rmdir "$own" 2>/dev/null || true' EXIT
    (
        echo "$BASHPID" >"$own/cgroup.procs"
        exec unshare --pid --mount --uts --ipc --cgroup --net --fork --kill-child \
            bash "$0" "$scratch" "$program" inside
    ) || true
}

inside() {
    local root=$scratch/root name
    mount -t tmpfs layer "$scratch/layer"
    mkdir "$scratch/layer/upper" "$scratch/layer/work"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/layer/upper,workdir=$scratch/layer/work" "$root"
    mount -t proc proc "$root/proc"
    mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=755 run "$root/run"
    mount -t tmpfs tmp "$root/tmp"
    mount --rbind /dev "$root/dev"

    # An address that is not localhost.
    ip link set lo up
    ip address add 10.0.0.7/24 dev lo

    for name in chancery chancery-watcher; do
        touch "$root/usr/bin/$name"
        mount --bind "$program" "$root/usr/bin/$name"
    done

    # Of what this machine starts nothing but the journal.
    rm -rf "$root"/etc/systemd/system/*.wants
    for name in "$root"/usr/lib/systemd/system/{sysinit,multi-user}.target.wants/*; do
        [[ $name == */systemd-journald.service ]] || ln -sf /dev/null "$root/etc/systemd/system/${name##*/}"
    done
    cp -a "$scratch/tree/." "$root/"
    chroot "$root" bash /set-up

    cd "$root"
    mkdir -p old
    pivot_root . old
    umount -l /old
    # What is mounted for a unit, its credentials say, is made elsewhere and must be seen here.
    mount --make-rshared /
    exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=basic.target \
        --log-target=journal >/dev/null 2>&1 </dev/null
}

"$stage"
