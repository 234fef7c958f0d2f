#!/usr/bin/env bash
# demo.sh up|down - the main job on real components: three clusters in namespaces, joined by the CLI as a person would.
set -euo pipefail
cd "$(dirname "$0")/.."
export MF_LAB=demo
dir=$(scripts/lab.sh dir) out=$PWD/out
url=https://localhost:18443
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
forget() { [ -x out/mfctl ] && out/mfctl context delete demo >/dev/null 2>&1 || true; rm -f "$dir/relay.pid"; }
down() {
  [ ! -s "$dir/relay.pid" ] || kill "$(cat "$dir/relay.pid")" 2>/dev/null || true
  forget; scripts/lab.sh down
}
up() {
  [ "$(id -u)" = 0 ] || { echo "make demo makes network namespaces and needs root" >&2; exit 1; }
  [ ! -e "$dir" ] || { echo "an earlier demo is up: removing it first"; down; }
  say "1. packages and programs"
  deploy/scripts/install-packages.sh gateway services lab
  scripts/build.sh Release
  say "2. a lab: an internet, a control plane with PostgreSQL and RabbitMQ, three clusters with two gateways each"
  scripts/lab.sh up
  # The API is inside the lab; one port of the loopback reaches it.
  setsid socat TCP-LISTEN:18443,bind=127.0.0.1,fork,reuseaddr EXEC:"ip netns exec demo-ctl socat STDIO TCP\:203.0.113.2\:8443" >"$dir/log/relay.log" 2>&1 </dev/null &
  echo $! >"$dir/relay.pid"
  for _ in $(seq 100); do curl -fsS --cacert "$dir/pki/ca.crt" "$url/livez" >/dev/null 2>&1 && break; sleep 0.1; done
  out/mfctl login "$url" --token-file "$dir/admin.token" --ca-file "$dir/pki/ca.crt" --name demo
  say "3. joining aurora (10.10.0.0/16), borealis (10.20.0.0/16) and cirrus (10.20.0.0/16 again)"
  local c net provider
  for c in aurora:10.10:aws borealis:10.20:gcp cirrus:10.20:on-premises; do
    IFS=: read -r c net provider <<<"$c"
    cat >"$dir/$c.yaml" <<Y
apiVersion: meshfabric.io/v1
kind: ClusterInventory
metadata: {name: $c, labels: {env: demo}}
spec: {kind: site, provider: $provider, region: demo, podCidrs: [$net.0.0/16]}
Y
    echo "\$ mfctl cluster join $c --inventory $c.yaml --gateway gw1=$(cat "$dir/$c-gw1.address"):51820 --gateway gw2=... --via 'ip netns exec demo-$c-{gateway}'"
    out/mfctl cluster join "$c" --inventory "$dir/$c.yaml" --gateway "gw1=$(cat "$dir/$c-gw1.address"):51820" --gateway "gw2=$(cat "$dir/$c-gw2.address"):51820" \
      --via "ip netns exec demo-$c-{gateway}" --agent "$out/meshfabric-agent" --state "$dir/$c-{gateway}/state"
  done
  out/mfctl status --wait --timeout 60
  say "4. pod to pod, by their mesh addresses; the server tells which source address it saw"
  local from to address
  cat >"$dir/serve.sh" <<'S'
#!/bin/sh
read -r _
printf 'HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello from %s, you are %s\n' "$POD" "$SOCAT_PEERADDR"
S
  chmod +x "$dir/serve.sh"
  for c in aurora borealis cirrus; do
    POD=$c setsid ip netns exec "demo-$c-p1" socat TCP-LISTEN:8080,fork,reuseaddr "EXEC:$dir/serve.sh" >/dev/null 2>&1 </dev/null &
  done
  sleep 0.5
  for c in aurora:borealis:10.20.2.11 aurora:cirrus:100.64.2.11 borealis:aurora:10.10.2.11 borealis:cirrus:100.64.2.11 cirrus:aurora:10.10.2.11 cirrus:borealis:100.65.2.11; do
    IFS=: read -r from to address <<<"$c"
    printf '%-9s -> %-9s %-12s ping %s, HTTP: %s\n' "$from" "$to" "$address" "$(ip netns exec "demo-$from-p1" ping -q -c 3 -i 0.2 -W 2 "$address" | awk -F/ '/^rtt/{print $5 " ms"}')" \
      "$(ip netns exec "demo-$from-p1" curl -sS -m 5 "http://$address:8080/" || echo FAILED)"
  done
  say "5. what the mesh says"
  out/mfctl cluster list; echo; out/mfctl tunnel list
  cat <<T

It stays up.
  API         $url  (CA: $dir/pki/ca.crt; token: $dir/admin.token)
  try         out/mfctl status | out/mfctl ping aurora cirrus | out/mfctl explain cirrus/gw1 | out/mfctl ipam allocations
  in a pod    ip netns exec demo-aurora-p1 ping 100.64.2.11
  stop        make demo-down
T
}
case ${1:-} in up) up;; down) down;; *) echo "demo.sh up|down" >&2; exit 2;; esac
