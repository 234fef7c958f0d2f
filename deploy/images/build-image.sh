#!/usr/bin/env bash
# build-image.sh pause|echo|agent ... - makes container images without a container engine, as archives that
# `ctr -n k8s.io images import`, `docker load`, `podman load` and `skopeo copy docker-archive:` take.
#
#   agent   meshfabric/agent:VERSION (out/images/agent.tar): the agent with its own .NET, nft, iptables (nft and legacy), ipset, ip, wireguard-go
#   pause   meshfabric/pause:1 and
#   echo    meshfabric/echo:1 (CACHE/images): what the pods of a lab are made of
#
# Programs and their shared libraries come from the Debian packages of this machine (deploy/scripts/install-packages.sh gateway kubernetes).
# Environment: MESHFABRIC_CACHE (default ~/.cache/meshfabric). An image that was made from these very sources is not made again.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD cache=${MESHFABRIC_CACHE:-$HOME/.cache/meshfabric}/images
version=$(sed -n 's:.*<Version>\(.*\)</Version>.*:\1:p' Directory.Build.props)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
mkdir -p "$cache"
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
fail() { echo "build-image: $*" >&2; exit 1; }
for tool in jq busybox gcc; do command -v $tool >/dev/null || fail "$tool is missing: run deploy/scripts/install-packages.sh kubernetes"; done

# sources PATH...: a digest of what an image is made from
sources() { git ls-files -co --exclude-standard -- "$@" '*.props' global.json deploy/images | sort | xargs -d '\n' sha256sum 2>/dev/null | cat - <(dpkg-query -W -f='${Package} ${Version}\n' nftables iptables iproute2 ipset util-linux dash wireguard-go busybox-static libc6 libssl3 2>/dev/null) | sha256sum | cut -d' ' -f1; }

# archive ROOTFS REFERENCE OUT [KEY=VALUE...] -- ENTRYPOINT...: one layer, the same bytes from the same files
archive() {
  local from=$1 reference=$2 out=$3 env=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin); shift 3
  while [ "$1" != -- ]; do env+=("$1"); shift; done; shift
  local tar=(tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner) to=$work/archive
  rm -rf "$to"; mkdir -p "$to/layer"
  chmod -R a+rX "$from"
  "${tar[@]}" -cf "$to/layer/layer.tar" -C "$from" .
  # Named by its content: two archives may be imported at once.
  local layer; layer=$(sha256sum "$to/layer/layer.tar" | cut -d' ' -f1)
  mv "$to/layer" "$to/$layer"
  jq -cn --arg layer "sha256:$layer" --arg env "$(printf '%s\n' "${env[@]}")" '{
      created: "1970-01-01T00:00:00Z", architecture: "amd64", os: "linux",
      config: {Env: ($env | split("\n")), Entrypoint: $ARGS.positional, WorkingDir: "/"},
      rootfs: {type: "layers", diff_ids: [$layer]}, history: [{created: "1970-01-01T00:00:00Z", created_by: "build-image.sh"}]
    }' --args -- "$@" >"$to/config.json"
  local config; config=$(sha256sum "$to/config.json" | cut -d' ' -f1).json
  mv "$to/config.json" "$to/$config"
  jq -cn --arg config "$config" --arg reference "$reference" --arg layer "$layer" '[{Config: $config, RepoTags: [$reference], Layers: [$layer + "/layer.tar"]}]' >"$to/manifest.json"
  "${tar[@]}" -cf "$out.new" -C "$to" manifest.json "$config" "$layer"
  mv "$out.new" "$out"
}

# skeleton ROOTFS: what every program expects to find
skeleton() {
  mkdir -p "$1"/{dev,etc,proc,root,run,sys,tmp,usr/bin,usr/sbin,usr/lib,usr/lib64,var/lib,var/tmp}
  chmod 1777 "$1/tmp" "$1/var/tmp"
  local link; for link in bin sbin lib lib64; do ln -s "usr/$link" "$1/$link"; done
  ln -s ../run "$1/var/run"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$1/etc/passwd"
  printf 'root:x:0:\nnobody:x:65534:\n' >"$1/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$1/etc/nsswitch.conf"
}
# put ROOTFS FILE: a file at its own place, through links; with the shared libraries that it needs
put() {
  local file; file=$(realpath "$2"); case $file in /usr/*) ;; *) file=/usr$file;; esac
  [ -e "$1$file" ] || install -D "$file" "$1$file"
  [ "$2" = "$file" ] || [ "/usr$2" = "$file" ] || [ -e "$1$2" ] || { mkdir -p "$1$(dirname "$2")"; ln -s "$file" "$1$2"; }
  libraries "$1" "$file"
}
libraries() { # libraries ROOTFS FILE
  local library
  ldd "$2" 2>/dev/null | sed -nE 's/.*=> (\/[^ ]+) .*/\1/p; s/^[[:space:]]*(\/[^ ]+) \(.*/\1/p' | while read -r library; do
    [ -e "$1$library" ] || install -D "$(realpath "$library")" "$1$library"
  done
}
tools() { # tools ROOTFS: busybox, and a name for each of its tools that is not there yet
  install "$(command -v busybox)" "$1/usr/bin/busybox"
  local tool; for tool in $(busybox --list); do [ -e "$1/usr/bin/$tool" ] || [ -e "$1/usr/sbin/$tool" ] || ln -s busybox "$1/usr/bin/$tool"; done
}

pause() {
  mkdir -p "$1"; install "$(command -v busybox)" "$1/busybox"
  archive "$1" meshfabric/pause:1 "$2" -- /busybox sleep 2147483647
}
echo_() {
  dotnet publish tests/MeshFabric.Echo -c Release -r linux-x64 -p:PublishAot=true -p:ArtifactsPath="$root/artifacts/images" -p:DebugType=none -o "$work/echo" -v quiet --nologo >"$work/log" 2>&1 ||
    { tail -20 "$work/log" >&2; fail "MeshFabric.Echo does not build"; }
  skeleton "$1"
  install "$work/echo/mfecho" "$1/usr/bin/mfecho"
  libraries "$1" "$work/echo/mfecho"
  tools "$1"
  archive "$1" meshfabric/echo:1 "$2" -- /usr/bin/mfecho serve
}
agent() {
  dotnet publish src/MeshFabric.Agent -c Release -r linux-x64 --self-contained -p:ArtifactsPath="$root/artifacts/images" -p:DebugType=none -o "$work/agent" -v quiet --nologo >"$work/log" 2>&1 ||
    { tail -20 "$work/log" >&2; fail "MeshFabric.Agent does not build"; }
  skeleton "$1"
  mkdir -p "$1/opt" "$1/var/lib/meshfabric" "$1/etc/ssl/certs"
  mv "$work/agent" "$1/opt/meshfabric"
  # What a debugger alone needs.
  rm -f "$1"/opt/meshfabric/{createdump,libmscordaccore.so,libmscordbi.so,libcoreclrtraceptprovider.so}
  ln -s /opt/meshfabric/meshfabric-agent "$1/usr/bin/meshfabric-agent"
  local file
  for file in "$1"/opt/meshfabric/{meshfabric-agent,*.so}; do libraries "$1" "$file"; done
  # .NET opens these by name.
  for file in libssl.so.3 libcrypto.so.3; do put "$1" "/usr/lib/x86_64-linux-gnu/$file"; done
  # The agent starts wireguard-go by "setsid -f", which busybox's setsid has not; and busybox's sh prefers its own tools to those of the path.
  for file in /usr/sbin/nft /usr/sbin/xtables-nft-multi /usr/sbin/xtables-legacy-multi /usr/sbin/ipset /usr/bin/wireguard-go /usr/bin/setsid /usr/bin/dash /usr/sbin/ip /usr/bin/ip; do
    [ ! -e "$file" ] || put "$1" "$file"
  done
  [ -e "$1/usr/sbin/nft" ] && [ -e "$1/usr/bin/wireguard-go" ] && [ -e "$1/usr/sbin/xtables-nft-multi" ] && [ -e "$1/usr/sbin/ipset" ] || fail "nft, iptables, ipset or wireguard-go is missing: run deploy/scripts/install-packages.sh gateway kubernetes"
  for file in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    ln -s xtables-nft-multi "$1/usr/sbin/${file/tables/tables-nft}"
    ln -s xtables-legacy-multi "$1/usr/sbin/${file/tables/tables-legacy}"
    ln -s xtables-nft-multi "$1/usr/sbin/$file"
  done
  ln -s dash "$1/usr/bin/sh"
  mkdir -p "$1/usr/lib/x86_64-linux-gnu/xtables"
  cp /usr/lib/x86_64-linux-gnu/xtables/*.so "$1/usr/lib/x86_64-linux-gnu/xtables/"
  cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/" 2>/dev/null || fail "ca-certificates is missing"
  tools "$1"
  # The root file system may be mounted read-only: nothing is unpacked or measured on disk.
  archive "$1" "meshfabric/agent:$version" "$2" DOTNET_EnableDiagnostics=0 DOTNET_gcServer=0 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt -- /opt/meshfabric/meshfabric-agent
}

[ $# -gt 0 ] || { sed -n 2,11p "$0" >&2; exit 2; }
for image in "$@"; do
  case $image in
    pause) out=$cache/pause.tar stamp=$(sources deploy/images) make=pause;;
    echo) out=$cache/echo.tar stamp=$(sources tests/MeshFabric.Echo) make=echo_;;
    agent) mkdir -p out/images; out=$root/out/images/agent.tar stamp=$(sources src) make=agent;;
    *) fail "no image '$image' (known: pause echo agent)";;
  esac
  [ "$(cat "$out.stamp" 2>/dev/null)" != "$stamp" ] || [ ! -e "$out" ] || continue
  echo "building image $image"
  rm -f "$out.stamp"
  $make "$work/root-$image" "$out"
  echo "$stamp" >"$out.stamp"
done
