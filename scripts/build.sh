#!/usr/bin/env bash
# build.sh [CONFIGURATION] - publishes the four programs, and mflab for demo and lab, to out/lib/NAME and links them as out/NAME.
set -euo pipefail
cd "$(dirname "$0")/.."
configuration=${1:-Release}
declare -A project=(
  [mfctl]=src/MeshFabric.Cli
  [meshfabric-control]=src/MeshFabric.Control
  [meshfabric-agent]=src/MeshFabric.Agent
  [meshfabric-schema]=migrations/MeshFabric.Schema
  [mflab]=tests/MeshFabric.Lab
)
# Compiled ahead of time: an agent that starts would compile for seconds otherwise, while its tunnels are waited for, and a command for longer than it asks.
declare -A ahead=([mfctl]=yes [meshfabric-agent]=yes [meshfabric-control]=yes)
mkdir -p out/lib
# What was built from these very sources is not built again: a second demo starts at once.
stamp=$(git ls-files -co --exclude-standard -- src migrations tests/MeshFabric.Lab tests/MeshFabric.TestKit '*.props' '*.targets' global.json scripts/build.sh 2>/dev/null | sort | xargs -d '\n' sha256sum 2>/dev/null | sha256sum | cut -d' ' -f1)
if [ "$(cat out/.stamp 2>/dev/null)" = "$configuration $stamp" ]; then exit 0; fi
rm -f out/.stamp
for name in mfctl meshfabric-schema meshfabric-agent meshfabric-control mflab; do
  echo "building $name"
  dotnet publish "${project[$name]}" -c "$configuration" -o "out/lib/$name" -v quiet --nologo -p:DebugType=embedded ${ahead[$name]:+--use-current-runtime --self-contained false -p:PublishReadyToRun=true} >"out/$name.log" 2>&1 ||
    { echo "build.sh: $name does not build:" >&2; grep -E 'error|warn' "out/$name.log" | sort -u | head -20 >&2; exit 1; }
  rm -f "out/$name.log"
  ln -sfn "lib/$name/$name" "out/$name"
done
echo "$configuration $stamp" >out/.stamp
