#!/usr/bin/env bash
# demo.sh up|down - the main job on real components: three clusters in namespaces, joined by the CLI as a person would.
# KUBERNETES=yes: each cluster's inventory comes from a real Kubernetes API server.
set -euo pipefail
cd "$(dirname "$0")/.."
name=demo dir=/var/lib/meshfabric-lab/demo port=18443 kubernetes=${KUBERNETES:-no}
url=https://localhost:$port
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }
down() {
  [ ! -x out/mfctl ] || out/mfctl context delete $name >/dev/null 2>&1 || true
  [ ! -d $dir ] || out/mflab down $name
}
join() { # join CLUSTER
  local source=(--inventory "$dir/$1.yaml") n=$2
  if [ "$kubernetes" = yes ]; then source=(--kubeconfig "$dir/kubernetes/$1/admin.kubeconfig"); fi
  run out/mfctl cluster join "$1" "${source[@]}" --gateway "gw1=198.51.100.$n:51820" --gateway "gw2=198.51.100.$((n + 4)):51820" --via "$dir/on $1-{gateway}"
}
inventory() { # inventory CLUSTER PROVIDER REGION CIDR CIDR6
  cat >"$dir/$1.yaml" <<Y
apiVersion: meshfabric.io/v1
kind: ClusterInventory
metadata: {name: $1, labels: {env: demo}}
spec: {kind: site, provider: $2, region: $3, podCidrs: ["$4", "$5"]}
Y
}
reach() { # reach FROM TO ADDRESS
  local url=http://$3:8080/ rtt seen
  case $3 in *:*) url="http://[$3]:8080/";; esac
  rtt=$("$dir/on" "$1-w1-p1" ping -q -c 3 -i 0.2 -W 2 "$3" | awk -F/ '/^rtt/{print $5 " ms"}') || true
  seen=$("$dir/on" "$1-w1-p1" curl -gsS -m 5 "$url" 2>/dev/null) || true
  printf '%-9s %-9s %-20s %-10s %s\n' "$1" "$2" "$3" "${rtt:-NO ANSWER}" "${seen:-NO ANSWER}"
  [ -n "$rtt" ] && [ -n "$seen" ]
}
up() {
  [ "$(id -u)" = 0 ] || { echo "make demo makes network namespaces and needs root" >&2; exit 1; }
  say "1. packages and programs"
  if [ "$kubernetes" = yes ]; then
    deploy/scripts/install-packages.sh gateway services lab kubernetes
    echo "Kubernetes from Debian's source package (8 to 20 minutes, once)"
    tests/kubernetes/build-binaries.sh "${CACHE:-$HOME/.cache/meshfabric}/kubernetes"
  else
    deploy/scripts/install-packages.sh gateway services lab
  fi
  scripts/build.sh Release
  [ ! -d $dir ] || { echo "an earlier demo is up: removing it"; down; }
  say "2. a lab: an internet, a control plane with PostgreSQL and RabbitMQ, three clusters with two gateways each"
  local option=; [ "$kubernetes" != yes ] || option=--kubernetes
  out/mflab up $name --programs out --api-port $port $option
  run out/mfctl login $url --token-file $dir/control/admin.token --ca-file $dir/control/pki/ca.crt --name $name
  say "3. joining aurora (10.10.0.0/16), borealis (10.20.0.0/16) and cirrus (10.20.0.0/16 again)"
  inventory aurora aws eu-west-1 10.10.0.0/16 fd10:10::/48
  inventory borealis gcp europe-north1 10.20.0.0/16 fd10:20::/48
  inventory cirrus on-premises berlin 10.20.0.0/16 fd10:20::/48
  join aurora 2; join borealis 10; join cirrus 18
  run out/mfctl status --wait --timeout 60
  say "4. pod to pod by their mesh addresses: round trip, and the source address that the far pod's HTTP server saw"
  printf '%-9s %-9s %-20s %-10s %s\n' FROM TO ADDRESS RTT "SEEN AS"
  local failed=0
  reach aurora borealis 10.20.1.10 || failed=1
  reach aurora cirrus 100.64.1.10 || failed=1
  reach borealis aurora 10.10.1.10 || failed=1
  reach borealis cirrus 100.64.1.10 || failed=1
  reach cirrus aurora 10.10.1.10 || failed=1
  reach cirrus borealis 100.65.1.10 || failed=1
  reach aurora cirrus fd6d:6600:0:1::a || failed=1
  reach cirrus borealis fd6d:6600:1:1::a || failed=1
  say "5. what the mesh says"
  run out/mfctl cluster list; echo; run out/mfctl tunnel list
  cat <<T

It stays up.
  API         $url  (CA: $dir/control/pki/ca.crt; token: $dir/control/admin.token)
  try         out/mfctl status | out/mfctl ping aurora cirrus | out/mfctl explain cirrus/gw1 | out/mfctl ipam allocations
  in a pod    $dir/on aurora-w1-p1 ping 100.64.1.10
  on a host   $dir/on aurora-gw1 meshfabric-agent status
  stop        make demo-down
T
  [ $failed = 0 ] || { echo "demo: not every pod answered; see the logs in $dir/hosts" >&2; exit 1; }
}
case ${1:-} in up) up;; down) down;; *) sed -n 2,3p "$0" >&2; exit 2;; esac
