#!/usr/bin/env bash
# run.sh DIRECTORY COMMAND... - boots Debian's cloud kernel in QEMU and runs a command as its only program, as root, in a copy of DIRECTORY at /test.
# Output and exit status are the command's. No virtualisation of the host is needed, nothing of the host is touched, nothing is left behind.
#   MESHFABRIC_CACHE   where the kernel is kept (default ~/.cache/meshfabric)
#   KERNEL_LIMIT       seconds until the guest is ended (default 540)
#   KERNEL_PROGRAMS    more programs of this host that the guest needs
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
directory=${1:?run.sh DIRECTORY COMMAND...}; shift
[ $# -gt 0 ] || { echo "run.sh DIRECTORY COMMAND..." >&2; exit 2; }
image=${MESHFABRIC_CACHE:-$HOME/.cache/meshfabric}/kernel-image
for needed in qemu-system-x86_64 busybox cpio depmod ip; do
  command -v "$needed" >/dev/null || { echo "run.sh: $needed is missing: deploy/scripts/install-packages.sh kernel lab" >&2; exit 1; }
done
"$here/kernel-image.sh" "$image" >&2
version=$(cat "$image/complete")

work=$(mktemp -d "${TMPDIR:-/tmp}/meshfabric-kernel.XXXXXX") qemu=
finish() {
  trap '' INT TERM
  if [ -n "$qemu" ]; then kill "$qemu" 2>/dev/null || true; wait "$qemu" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
root=$work/root
mkdir -p "$root"/{bin,sbin,lib,lib64,dev,proc,sys,run,tmp,etc,usr,var,test,dotnet}
ln -s ../bin "$root/usr/bin"; ln -s ../sbin "$root/usr/sbin"; ln -s /run "$root/var/run"

# A program with the libraries it is linked to, at the very paths where it looks for them.
libraries() { { ldd "$1" 2>/dev/null || true; } | grep -oE '/[^ ]+' | while read -r l; do mkdir -p "$root$(dirname "$l")"; cp -Ln "$l" "$root$l"; done; }
put() { cp -L "$1" "$root/bin/"; libraries "$1"; }
cp "$(command -v busybox)" "$root/bin/busybox"
for applet in sh mount ln cut uname echo cat ls sleep kill ping mkdir poweroff; do ln -s busybox "$root/bin/$applet"; done
ln -s ../bin/busybox "$root/sbin/modprobe"
put "$(command -v ip)"
for program in ${KERNEL_PROGRAMS:-}; do put "$(command -v "$program")"; done

# The runtime, and what it opens by name.
dotnet=$(dirname "$(readlink -f "$(command -v dotnet)")")
runtime=$(dotnet --list-runtimes | sed -nE 's/^Microsoft\.NETCore\.App ([^ ]+) .*/\1/p' | sort -V | tail -1)
mkdir -p "$root/dotnet/shared/Microsoft.NETCore.App"
cp -r "$dotnet/host" "$dotnet/dotnet" "$root/dotnet/"
cp -r "$dotnet/shared/Microsoft.NETCore.App/$runtime" "$root/dotnet/shared/Microsoft.NETCore.App/"
for file in "$dotnet/dotnet" "$dotnet/shared/Microsoft.NETCore.App/$runtime"/*.so; do libraries "$file"; done
for name in libssl.so.3 libcrypto.so.3; do
  library=$(/sbin/ldconfig -p | sed -nE "s|.*$name .*x86-64.* => (/.*)|\1|p" | head -1)
  [ -n "$library" ] || { echo "run.sh: $name is missing: deploy/scripts/install-packages.sh services" >&2; exit 1; }
  mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"; libraries "$library"
done

# The modules that tests ask for, with those they need. The kernel finds them by alias.
modules=$root/lib/modules/$version
mkdir -p "$modules"
for module in wireguard veth bridge dummy; do
  modprobe -d "$image" -S "$version" -D "$module" | sed -nE 's/^insmod ([^ ]+).*/\1/p'
done | sort -u | while read -r path; do
  relative=${path#*/lib/modules/"$version"/}
  mkdir -p "$modules/$(dirname "$relative")"; cp "$path" "$modules/$relative"
done
cp "$image/lib/modules/$version/"modules.{order,builtin,builtin.modinfo} "$modules/"
depmod -b "$root" "$version"

cp -r "$directory/." "$root/test/"
cp "$here/guest-init.sh" "$root/init"; chmod +x "$root/init"
{ echo 'export DOTNET_ROOT=/dotnet DOTNET_gcServer=0 DOTNET_TieredPGO=0 DOTNET_EnableDiagnostics=0 DOTNET_NOLOGO=1; cd /test'; printf '%q ' "$@"; echo; } >"$root/test/command"
(cd "$root" && find . -print0 | cpio -o -H newc --null --quiet) >"$work/initrd"
rm -rf "$root"

# QEMU ends with the guest (poweroff, or a panic without reboot), or after the limit.
mkfifo "$work/console"
timeout --foreground "${KERNEL_LIMIT:-540}" qemu-system-x86_64 -machine pc -accel tcg,thread=multi -cpu max -smp 2 -m 1536 \
  -nodefaults -no-user-config -display none -no-reboot -serial "file:/dev/stdout" -kernel "$image/vmlinuz" -initrd "$work/initrd" \
  -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off nokaslr random.trust_cpu=on" </dev/null >"$work/console" &
qemu=$!
tr -d '\r' <"$work/console" | tee "$work/output" &
reader=$!
wait "$qemu" || { status=$?; qemu=; [ $status -ne 124 ] || echo "run.sh: the guest did not end within ${KERNEL_LIMIT:-540} s" >&2; }
qemu=
wait "$reader"
status=$(sed -nE 's/^guest exit ([0-9]+)$/\1/p' "$work/output" | tail -1)
[ -n "$status" ] || { echo "run.sh: the guest ended before its command did" >&2; exit 1; }
exit "$status"
