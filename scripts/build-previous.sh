#!/usr/bin/env bash
# build-previous.sh CACHE_DIR - publishes the four programs of the version before this one (tests/previous-version) to CACHE_DIR/COMMIT. Done once.
# Its source is in tests/previous-version.tar.xz: a clone may have a part of the history only. build-previous.sh --record writes that file anew.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -eq 1 ] || { sed -n 2,3p "$0" >&2; exit 2; }
source=tests/previous-version.tar.xz
commit=$(grep -v '^#' tests/previous-version)
[[ $commit =~ ^[0-9a-f]{40}$ ]] || { echo "build-previous.sh: tests/previous-version names no commit: '$commit'" >&2; exit 1; }
if [ "$1" = --record ]; then
  git archive --format=tar "$commit" -- src migrations ':(glob)*.props' ':(glob)*.targets' BannedSymbols.txt .editorconfig global.json | xz -9e >"$source"
  exit
fi
# git archive writes the commit into it.
recorded=$(xz -dc "$source" | head -c 1024 | grep -ao 'comment=[0-9a-f]\{40\}' | cut -d= -f2 || true)
[ "$recorded" = "$commit" ] || { echo "build-previous.sh: $source is of commit '$recorded', and tests/previous-version names $commit: run scripts/build-previous.sh --record" >&2; exit 1; }
mkdir -p "$1"; cache=$(cd "$1" && pwd)
started=$SECONDS
say() { printf '[%4ds] %s\n' $((SECONDS - started)) "$*"; }
[ ! -d "$cache/$commit" ] || { say "cached: $cache/$commit"; exit 0; }

exec 9>"$cache/.lock"; flock 9 # two test runs may want it at once
[ ! -d "$cache/$commit" ] || { say "cached: $cache/$commit"; exit 0; }
# What an interrupted build left goes; a directory of the commit's name is there only when it is whole.
work=$cache/$commit.new
rm -rf "$work"; mkdir -p "$work/source" "$work/out/lib"
trap 'rm -rf "$work"' EXIT
xz -dc "$source" | tar x -C "$work/source"
declare -A project=([meshfabric-schema]=migrations/MeshFabric.Schema [meshfabric-control]=src/MeshFabric.Control [meshfabric-agent]=src/MeshFabric.Agent [mfctl]=src/MeshFabric.Cli)
for name in meshfabric-schema meshfabric-control meshfabric-agent mfctl; do
  say "building $name of ${commit:0:12}"
  # In its own directory: there its global.json counts. Its version tells the commit, for it may be the same as today's. No build servers: they would outlive the directory.
  (cd "$work/source" && dotnet publish "${project[$name]}" -c Release -o "$work/out/lib/$name" -v quiet --nologo --disable-build-servers -p:DebugType=embedded -p:IncludeSourceRevisionInInformationalVersion=true -p:SourceRevisionId="${commit:0:12}") 9>&- >"$work/log" 2>&1 ||
    { echo "build-previous.sh: $name of $commit does not build:" >&2; { grep -E 'error|warn' "$work/log" || tail -20 "$work/log"; } | sort -u | head -20 >&2; exit 1; }
  ln -s "lib/$name/$name" "$work/out/$name"
done
mv "$work/out" "$cache/$commit"
say "done: $(du -sh "$cache/$commit" | cut -f1) in $cache/$commit"
