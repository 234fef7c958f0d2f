#!/usr/bin/env bash
# install-packages.sh [GROUP...] - installs the Debian packages that a part of MeshFabric needs; does nothing when they are there.
# Groups: gateway services lab kubernetes cni bench kernel browser (default: gateway services lab). Needs root only when something is missing.
set -euo pipefail
declare -A group=(
  [gateway]="wireguard-go nftables iproute2"
  [services]="postgresql-15 rabbitmq-server openssl curl"
  [lab]="iproute2 nftables iputils-ping procps socat curl util-linux make conntrack wireguard-tools xz-utils"
  [kubernetes]="etcd-server openssl containerd runc containernetworking-plugins conntrack iptables ipset busybox-static jq bc gcc libc6-dev"
  [cni]="iptables ipset conntrack containernetworking-plugins"
  [bench]="iperf3 nebula ethtool"
  [kernel]="qemu-system-x86 busybox-static cpio kmod xz-utils"
  [browser]="chromium fonts-dejavu-core"
)
# Packages that are taken from backports: wireguard-go of bookworm has a quarter of the throughput, QEMU 7.2 corrupts newer guests.
backports="wireguard-go qemu-system-x86"
[ $# -gt 0 ] || set -- gateway services lab

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
version_ok() { # wireguard-go older than 2023 is as good as missing
  [ "$1" != wireguard-go ] || dpkg --compare-versions "$(dpkg-query -W -f='${Version}' wireguard-go)" ge 0.0.20230223
}

missing=() late=()
for g in "$@"; do
  [ -n "${group[$g]:-}" ] || { echo "install-packages: no group '$g' (known: ${!group[*]})" >&2; exit 2; }
  for p in ${group[$g]}; do
    if installed "$p" && version_ok "$p"; then continue; fi
    case " $backports " in *" $p "*) late+=("$p");; *) missing+=("$p");; esac
  done
done
[ ${#missing[@]} -gt 0 ] || [ ${#late[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || { echo "install-packages: these packages are missing and installing them needs root: ${missing[*]} ${late[*]}" >&2; exit 1; }

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp); trap 'rm -f "$log"; [ -z "${apt:-}" ] || rm -rf "$apt"' EXIT
run() { "$@" >>"$log" 2>&1 || { echo "install-packages: failed: $*" >&2; tail -20 "$log" >&2; exit 1; }; }
# No package may start a service by itself: ours run privately, on their own ports and directories.
policy=/usr/sbin/policy-rc.d made_policy=
if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod +x $policy; made_policy=1; fi
trap 'rm -f "$log"; [ -z "$made_policy" ] || rm -f $policy; [ -z "${apt:-}" ] || rm -rf "$apt"' EXIT

if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  run apt-get -q update
  # postgresql-common would make and start a cluster of its own
  mkdir -p /etc/postgresql-common; [ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  run apt-get -q install -y --no-install-recommends "${missing[@]}"
fi
if [ ${#late[@]} -gt 0 ]; then
  echo "installing ${late[*]} from backports"
  # A private list beside the system's own: nothing of /etc/apt changes.
  apt=$(mktemp -d); chmod 755 "$apt"; mkdir -p "$apt/parts" "$apt/lists/partial"
  mirror=$(grep -rhoE '(URIs: |deb (\[[^]]*\] )?)https?://[^ ]+/debian/? ?' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | grep -oE 'https?://[^ ]+' | head -1 || true)
  release=$(. /etc/os-release; echo "$VERSION_CODENAME")
  cat /etc/apt/sources.list 2>/dev/null >"$apt/parts/system.list" || true
  for f in /etc/apt/sources.list.d/*; do [ -e "$f" ] && cp "$f" "$apt/parts/"; done
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} $release-backports main" >"$apt/parts/backports.list"
  private=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$apt/parts" -o "Dir::State::lists=$apt/lists")
  run apt-get -q "${private[@]}" update
  run apt-get -q "${private[@]}" install -y --no-install-recommends -t "$release-backports" "${late[@]}"
fi
