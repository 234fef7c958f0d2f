#!/usr/bin/env bash
# test.sh [unit|server|host|e2e|cni|kubernetes|format|kernel ...] - installs what is missing, builds, runs the tests; the last line is "N passed, N failed".
# Without a name: all but kernel (the kernel's own WireGuard, in QEMU; 2 minutes), and of cni one row for each family of plug-ins (16 minutes; all rows when it is
# named: 35; CNI_ROWS chooses).
# Logs go to artifacts/test-logs. Exit status 0 only when nothing failed and something passed.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD
all=(format unit server host e2e cni kubernetes)
if [ $# -gt 0 ]; then
  suites=("$@")
else
  suites=("${all[@]}")
  export CNI_ROWS=${CNI_ROWS:-flannel-vxlan,calico-vxlan,canal,weave,bridge,ptp,remapped,proxy-nftables}
fi
declare -A project=(
  [unit]=MeshFabric.Tests
  [server]=MeshFabric.Server.Tests
  [host]=MeshFabric.Host.Tests
  [e2e]=MeshFabric.EndToEnd.Tests
  [cni]=MeshFabric.Cni.Tests
  [kubernetes]=MeshFabric.Kubernetes.Tests
  [kernel]=MeshFabric.Kernel.Tests
)
configuration=${CONFIGURATION:-Debug}
cache=${MESHFABRIC_CACHE:-$HOME/.cache/meshfabric}
logs=$root/artifacts/test-logs
mkdir -p "$logs"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 NO_COLOR=1 MESHFABRIC_CACHE=$cache
passed=0 failed=0 skipped=0 started=$SECONDS
failures=()

say() { printf '[%4ds] %s\n' $((SECONDS - started)) "$*"; }
finish() {
  trap - EXIT
  # Once more at the end, for those who see only that.
  for f in "${failures[@]}"; do printf 'FAILED %s\n' "$f"; done
  say "logs: artifacts/test-logs"
  if [ $skipped -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
  [ $failed -eq 0 ] && [ $passed -gt 0 ] && exit 0 || exit 1
}
trap finish EXIT
trap 'failed=$((failed + 1)); say "interrupted"; exit 1' INT TERM
fail() { failed=$((failed + 1)); failures+=("$1"); say "FAILED: $1"; }
# failed_tests LOG: a line each, with the beginning of what it said
failed_tests() {
  awk '
    function end() { if (name != "") print name ": " substr(text, 1, 400); name = ""; text = "" }
    / \[FAIL\]$/ { end(); name = $0; sub(/^ +/, "", name); sub(/ \[FAIL\]$/, "", name); next }
    name != "" && (/^ *Stack Trace:/ || /^ *Output:/) { end() }
    name != "" && /^      / { sub(/^ +/, ""); text = text (text == "" ? "" : " | ") $0; next }
    name != "" { end() }
    END { end() }' "$1"
}
# step LABEL LOG COMMAND...: one counted check
step() {
  local label=$1 log=$logs/$2.log; shift 2
  say "$label"
  if "$@" >"$log" 2>&1 </dev/null; then passed=$((passed + 1)); return 0; fi
  fail "$label"; tail -40 "$log"; return 1
}
wants() { local s; for s in "${suites[@]}"; do [ "$s" = "$1" ] && return 0; done; return 1; }

for s in "${suites[@]}"; do
  [ "$s" = format ] || [ -n "${project[$s]:-}" ] || { echo "test.sh: no suite '$s' (known: ${all[*]} kernel)" >&2; fail "unknown suite $s"; exit 1; }
done

groups=()
wants server && groups+=(services kubernetes browser)
wants host && groups+=(gateway lab)
wants e2e && groups+=(gateway services lab kubernetes cni)
wants cni && groups+=(gateway services lab kubernetes cni)
wants kubernetes && groups+=(gateway services lab kubernetes)
wants kernel && groups+=(kernel lab)
if [ ${#groups[@]} -gt 0 ]; then
  say "packages"
  deploy/scripts/install-packages.sh "${groups[@]}" >"$logs/packages.log" 2>&1 </dev/null || { fail "packages"; tail -20 "$logs/packages.log"; exit 1; }
fi
if wants server || wants e2e || wants cni || wants kubernetes; then
  [ -x "$cache/kubernetes/bin/kube-apiserver" ] || say "building Kubernetes from Debian's source package (8 to 20 minutes, once)"
  tests/kubernetes/build-binaries.sh "$cache/kubernetes" >"$logs/kubernetes.log" 2>&1 </dev/null || { fail "kubernetes binaries"; tail -20 "$logs/kubernetes.log"; exit 1; }
fi
if wants e2e; then
  [ -d "$cache/previous/$(grep -v '^#' tests/previous-version)" ] || say "building the version before this one, which upgrades are tested from (1 minute, once)"
  scripts/build-previous.sh "$cache/previous" >"$logs/previous.log" 2>&1 </dev/null || { fail "the version before this one"; tail -20 "$logs/previous.log"; exit 1; }
fi
step "build ($configuration, warnings are errors)" build dotnet build MeshFabric.sln -c "$configuration" -v minimal --nologo || { grep -E 'error' "$logs/build.log" | sort -u | head -20; exit 1; }
if wants format; then step "format" format dotnet format MeshFabric.sln --no-restore --verify-no-changes; fi
if wants e2e || wants cni || wants kubernetes; then step "programs in out/" publish scripts/build.sh Release || exit 1; fi
if wants kubernetes; then step "container images" images deploy/images/build-image.sh pause echo agent || exit 1; fi

for s in "${suites[@]}"; do
  [ "$s" != format ] || continue
  name=${project[$s]} log=$logs/$s.log
  exe=$root/artifacts/bin/$name/${configuration,,}/$name
  command=("$exe")
  [ "$s" != kernel ] || command=(tests/kernel/run.sh "${exe%/*}" "/test/$name")
  say "suite $s"
  # A shell's background job ignores SIGINT, and so would all that its tests start and interrupt.
  env --default-signal=INT "${command[@]}" -noColor -longRunning 60 >"$log" 2>&1 </dev/null
  status=$?
  line=$(grep -E 'Total: [0-9]+, Errors: [0-9]+, Failed: [0-9]+' "$log" | tail -1)
  if [ -z "$line" ]; then fail "suite $s ended without a summary (exit $status)"; tail -40 "$log"; continue; fi
  num() { sed -nE "s/.*$1: ([0-9]+).*/\1/p" <<<"$line"; }
  total=$(num Total) bad=$(( $(num Failed) + $(num Errors) )) skip=$(num Skipped)
  passed=$((passed + total - $(num Failed) - skip)); failed=$((failed + bad)); skipped=$((skipped + skip))
  if [ $bad -gt 0 ]; then
    grep -A12 -E '\[FAIL\]' "$log" | head -120
    mapfile -t -O ${#failures[@]} failures < <(failed_tests "$log")
  fi
  if [ $bad -eq 0 ] && [ $status -ne 0 ]; then fail "suite $s: exit $status without a failed test"; tail -20 "$log"; fi
  say "suite $s: $line"
done
exit 0
