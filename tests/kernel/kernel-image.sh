#!/usr/bin/env bash
# kernel-image.sh DIRECTORY - makes DIRECTORY hold Debian's cloud kernel: vmlinuz, lib/modules/VERSION. Does nothing when it is there.
# The package comes from Debian's archive by apt and is only unpacked: nothing is installed.
set -euo pipefail
target=${1:?kernel-image.sh DIRECTORY}
if [ -f "$target/complete" ]; then exit 0; fi
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "kernel-image: only amd64 is known here" >&2; exit 1; }
newest() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -nE 's/^ *Depends: (linux-image-[^ ]+)$/\1/p' | head -1; }
package=$(newest)
if [ -z "$package" ]; then
  echo "kernel-image: reading Debian's package lists"
  apt-get -q update
  package=$(newest)
fi
[ -n "$package" ] || { echo "kernel-image: linux-image-cloud-amd64 is not in apt's lists: add Debian's main archive to /etc/apt" >&2; exit 1; }

mkdir -p "$(dirname "$target")"
work=$(mktemp -d "$target.XXXXXX"); trap 'rm -rf "$work"' EXIT
mkdir "$work/package" "$work/image"
echo "kernel-image: $package"
download() { (cd "$work/package" && apt-get -q -o APT::Sandbox::User=root download "$package"); }
# Lists that are older than the archive name files that are gone.
download || { apt-get -q update; package=$(newest); download; }
dpkg -x "$work"/package/*.deb "$work/package/tree"
version=$(basename "$work"/package/tree/lib/modules/*)
mkdir -p "$work/image/lib/modules"
mv "$work/package/tree/boot/vmlinuz-$version" "$work/image/vmlinuz"
mv "$work/package/tree/lib/modules/$version" "$work/image/lib/modules/"
# The guest's insmod reads no compressed modules.
find "$work/image/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 200 xz -d
depmod -b "$work/image" "$version"
echo "$version" >"$work/image/complete"
rm -rf "$target"
mv "$work/image" "$target"
