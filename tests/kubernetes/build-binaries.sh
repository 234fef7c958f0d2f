#!/bin/bash
# build-binaries.sh CACHE_DIR
#
# Obtains kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and
# kube-proxy (upstream 1.20.2, the last complete Kubernetes tree in Debian) by
# building Debian's `kubernetes` source package. Needs root only to install
# golang-1.19-go when it is missing. Idempotent: does nothing when
# CACHE_DIR/bin already holds the binaries made by this recipe.
#
# Environment: KB_JOBS (default nproc), KB_TAGS, KB_GOGC (default 400),
#              KB_KEEP=1 keeps the source tree and the Go cache (1.5 GB),
#              KB_PATCHES=DIR (default: patches/ beside this script, empty = none)
#              has DIR/*.sh run in the source tree before the build.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 CACHE_DIR" >&2; exit 2; }
mkdir -p "$1"; cache=$(cd "$1" && pwd)
jobs=${KB_JOBS:-$(nproc)} tags=${KB_TAGS-providerless,dockerless} gogc=${KB_GOGC:-400}
comps=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)
gover=1.19 goroot=/usr/lib/go-1.19
src_version='1.20.5+really1.20.2'            # upstream part of the Debian version
version=v1.20.2
t0=$(date +%s); say() { printf '[%4ds] %s\n' $(( $(date +%s) - t0 )) "$*" >&2; }

patches=() pdir=${KB_PATCHES-$(cd "$(dirname "$0")" && pwd)/patches}
if [ -n "$pdir" ] && [ -d "$pdir" ]; then mapfile -t patches < <(ls "$pdir"/*.sh); fi
# What decides the binaries' content. Raise build_recipe when a step below changes what comes out; wording may change freely.
build_recipe=1
recipe=$( { echo "$build_recipe $src_version $tags"; [ ${#patches[@]} -gt 0 ] && cat "${patches[@]}"; true; } | sha256sum | cut -c1-16)
if [ "$(cat "$cache/bin/.recipe" 2>/dev/null)" = "$recipe" ]; then say "cached: $cache/bin"; exit 0; fi

exec 9>"$cache/.lock"; flock 9               # two test runs may want it at once
if [ "$(cat "$cache/bin/.recipe" 2>/dev/null)" = "$recipe" ]; then say "cached: $cache/bin"; exit 0; fi

# --- 1. a private apt configuration: the system's own sources, as deb-src ----
apt=$cache/apt; mkdir -p "$apt"/{lists/partial,archives/partial,sources,preferences}
: > "$apt/status"
for f in /etc/apt/sources.list.d/*.sources; do          # deb822 style
  [ -e "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" > "$apt/sources/$(basename "$f")"
done
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
  sed -n 's/^deb\(-src\)\? /deb-src /p' > "$apt/sources/x.list" || true
cat > "$apt/apt.conf" <<E
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$apt/preferences";
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
APT::Sandbox::User "root";
E

# --- 2. source tarball (checked by apt against the signed Release) -----------
orig=$cache/kubernetes_$src_version.orig.tar.gz
if [ ! -s "$orig" ] || ! ls "$cache"/golang-github-modern-go-reflect2_1.0.*.orig.tar.gz >/dev/null 2>&1; then
  say "downloading the source package"
  APT_CONFIG=$apt/apt.conf apt-get -q update >"$cache/apt.log" 2>&1
  full=$(APT_CONFIG=$apt/apt.conf apt-cache showsrc kubernetes 2>/dev/null |
         sed -n 's/^Version: //p' | grep -F "$src_version" | sort -V | tail -1)
  [ -n "$full" ] || { echo "no deb-src kubernetes $src_version in the configured suites" >&2; exit 1; }
  (cd "$cache" && APT_CONFIG=$apt/apt.conf apt-get -q source --download-only "kubernetes=$full" golang-github-modern-go-reflect2 >>"$cache/apt.log" 2>&1)
fi

# --- 3. Go 1.19 (Debian bookworm's own; newer Go breaks GOPATH builds) -------
if [ ! -x $goroot/bin/go ]; then
  say "installing golang-$gover-go"
  apt-get -q install -y --no-install-recommends "golang-$gover-go" >>"$cache/apt.log" 2>&1 ||
    { apt-get -q update >>"$cache/apt.log" 2>&1
      apt-get -q install -y --no-install-recommends "golang-$gover-go" >>"$cache/apt.log" 2>&1; }
fi

# --- 4. unpack into a GOPATH; the Debian patches only concern kubectl --------
work=$cache/work; k=$work/src/k8s.io/kubernetes
if [ "$(cat "$work/.recipe" 2>/dev/null)" != "$recipe" ]; then
  say "unpacking"; rm -rf "$work"; mkdir -p "$k"
  tar xzf "$orig" -C "$k" --strip-components=1 --exclude='*_test.go' --exclude='*/testdata'
  for p in "${patches[@]}"; do say "patch $(basename "$p")"; (cd "$k" && bash "$p"); done
  # The vendored reflect2 1.0.1 corrupts memory when built with Go >= 1.18: the
  # API server dies of SIGSEGV at the first custom resource. 1.0.2 is in Debian.
  r2=$k/vendor/github.com/modern-go/reflect2; rm -rf "$r2"; mkdir "$r2"
  tar xzf "$(ls "$cache"/golang-github-modern-go-reflect2_1.0.*.orig.tar.gz | tail -1)" -C "$r2" --strip-components=1 --exclude='*_test.go'
  # nodeipam sleeps 10 s before its first look at the API server: do not
  sed -i 's/wait\.Poll(10\*time\.Second, apiserverStartupGracePeriod/wait.PollImmediate(10*time.Second, apiserverStartupGracePeriod/' \
    "$k/pkg/controller/nodeipam/ipam/cidr_allocator.go"
  echo "$recipe" > "$work/.recipe"
fi
cd "$k"
# GO111MODULE=off: with modules, -mod=vendor fails under Go >= 1.17 because the
# 1.20 tree's vendor/modules.txt lacks the '## explicit; go 1.x' notes.
export PATH=$goroot/bin:$PATH GOROOT=$goroot GO111MODULE=off GOPATH=$work GOFLAGS=-trimpath \
       GOCACHE=$cache/gocache CGO_ENABLED=0 GOTOOLCHAIN=local GOGC=$gogc

# --- 5. the one generated file that upstream does not check in ---------------
if [ ! -s pkg/generated/openapi/zz_generated.openapi.go ]; then
  say "openapi: building and running openapi-gen"
  go build -p "$jobs" -o "$work/openapi-gen" k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen
  # Only what the API server serves: component configs are not (and including
  # kube-scheduler's makes a file that does not compile).
  dirs=$(grep -rl --include=*.go '+k8s:openapi-gen=true' staging/src/k8s.io/{api,apimachinery/pkg,apiextensions-apiserver/pkg/apis,kube-aggregator/pkg/apis} |
         xargs -n1 dirname | sort -u | sed 's,^staging/src/,k8s.io/kubernetes/vendor/,' | paste -sd,)
  "$work/openapi-gen" --logtostderr -i "$dirs,k8s.io/kubernetes/vendor/k8s.io/client-go/pkg/version" \
      -p k8s.io/kubernetes/pkg/generated/openapi -O zz_generated.openapi \
      -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$work/violations.txt" -o "$work/src" 2>"$work/openapi.log" ||
    { tail -5 "$work/openapi.log" >&2; exit 1; }
fi

# --- 6. all five in one call: shared package graph, two links at a time ------
say "compiling (tags=$tags jobs=$jobs GOGC=$gogc)"
ld="-s -w"; for v in component-base/version client-go/pkg/version; do   # the vendored path: GOPATH mode
  v=k8s.io/kubernetes/vendor/k8s.io/$v
  ld="$ld -X $v.gitVersion=$version -X $v.gitMajor=1 -X $v.gitMinor=20 -X $v.gitTreeState=clean -X $v.gitCommit=debian"
done
rm -rf "$work/bin"; mkdir -p "$work/bin"
go build -p "$jobs" -tags "$tags" -ldflags "$ld" -o "$work/bin/" "${comps[@]/#/k8s.io/kubernetes/cmd/}"
mkdir -p "$cache/bin"; mv -f "$work/bin"/* "$cache/bin/"
echo "$recipe" > "$cache/bin/.recipe"
[ -n "${KB_KEEP:-}" ] || rm -rf "$work" "$cache/gocache" "$apt"
say "done: $(du -sh "$cache/bin" | cut -f1) in $cache/bin"
