#!/usr/bin/env bash
# chaos.sh - breaks things in random order and asks after each what must hold. CHAOS_SEED and CHAOS_STEPS choose the walk; what happens is shown as it happens.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "make chaos makes network namespaces and needs root" >&2; exit 1; }
deploy/scripts/install-packages.sh gateway services lab kubernetes cni
export MESHFABRIC_CACHE=${MESHFABRIC_CACHE:-$HOME/.cache/meshfabric}
tests/kubernetes/build-binaries.sh "$MESHFABRIC_CACHE/kubernetes"
scripts/build.sh Release
mkdir -p artifacts
dotnet build tests/MeshFabric.EndToEnd.Tests -v quiet --nologo >artifacts/chaos-build.log 2>&1 || { tail -20 artifacts/chaos-build.log >&2; exit 1; }
exec env --default-signal=INT artifacts/bin/MeshFabric.EndToEnd.Tests/debug/MeshFabric.EndToEnd.Tests -noColor -showLiveOutput -class MeshFabric.EndToEnd.Tests.Chaos.ChaosTests
