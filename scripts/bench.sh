#!/usr/bin/env bash
# bench.sh [NAME...] - builds everything optimised and measures; results go to docs/benchmarks.md. ROUNDS=N repeats each comparison N times.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "make bench makes network namespaces and needs root" >&2; exit 1; }
deploy/scripts/install-packages.sh gateway services lab bench
case ${*:-nodes} in
  *nodes* | *leaves* | *failover*) # its clusters have real API servers and kube-proxies
    deploy/scripts/install-packages.sh kubernetes cni
    tests/kubernetes/build-binaries.sh "${MESHFABRIC_CACHE:-$HOME/.cache/meshfabric}/kubernetes";;
esac
scripts/build.sh Release
mkdir -p artifacts
dotnet build tests/MeshFabric.Bench -c Release -v quiet --nologo >artifacts/bench-build.log 2>&1 || { tail -20 artifacts/bench-build.log >&2; exit 1; }
exec artifacts/bin/MeshFabric.Bench/release/mfbench "$@" ${ROUNDS:+--rounds "$ROUNDS"}
