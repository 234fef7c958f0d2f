#!/bin/sh
# The guest's first process: mounts what programs expect, runs /test/command and ends the machine. Its output is the serial console.
export PATH=/sbin:/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ln -s /proc/self/fd /dev/fd
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
ip link set lo up
# All modules are loaded on demand by the kernel itself, as on a real host.
echo "kernel $(uname -r), booted in $(cut -d' ' -f1 /proc/uptime) s"
sh /test/command </dev/null
echo "guest exit $?"
poweroff -f
