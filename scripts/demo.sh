#!/usr/bin/env bash
# demo.sh up|down - the main job on real components: three clusters in namespaces, joined by the CLI as a person would.
# KUBERNETES=yes: three real Kubernetes clusters of two nodes each (kubelet, containerd, kube-proxy); the agents are their pods.
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
join() { # join CLUSTER N
  if [ "$kubernetes" = yes ]; then run out/mfctl cluster join "$1" --kubeconfig "$dir/kubernetes/$1/local.kubeconfig"; return; fi
  inventory "$1"
  run out/mfctl cluster join "$1" --inventory "$dir/$1.yaml" --gateway "gw1=198.51.100.$2:51820" --gateway "gw2=198.51.100.$(($2 + 4)):51820" --via "$dir/on $1-{gateway}"
}
inventory() { # inventory CLUSTER
  local of; case $1 in
    aurora) of='provider: aws, region: eu-west-1, podCidrs: ["10.10.0.0/16", "fd10:10::/48"]';;
    borealis) of='provider: gcp, region: europe-north1, podCidrs: ["10.20.0.0/16", "fd10:20::/48"]';;
    cirrus) of='provider: on-premises, region: berlin, podCidrs: ["10.20.0.0/16", "fd10:20::/48"]';;
  esac
  cat >"$dir/$1.yaml" <<Y
apiVersion: meshfabric.io/v1
kind: ClusterInventory
metadata: {name: $1, labels: {env: demo}}
spec: {kind: site, $of}
Y
}
inside() { # inside CLUSTER COMMAND...: runs it in a pod there
  local cluster=$1; shift
  if [ "$kubernetes" = yes ]; then out/mflab pod $name "$cluster" 1 -- "$@"; else "$dir/on" "$cluster-w1-p1" "$@"; fi
}
reach() { # reach FROM TO ADDRESS
  local url=http://$3:8080/ get="curl -gsS -m 5" answer rtt seen
  case $3 in *:*) url="http://[$3]:8080/";; esac
  [ "$kubernetes" != yes ] || get="mfecho get"
  answer=$(inside "$1" sh -c "ping -q -c 3 -i 0.2 -W 2 $3; echo; $get $url" 2>/dev/null) || true
  rtt=$(awk -F/ '/^rtt/{print $5 " ms"} /^round-trip/{print $4 " ms"}' <<<"$answer")
  seen=$(tail -1 <<<"$answer")
  printf '%-9s %-9s %-20s %-10s %s\n' "$1" "$2" "$3" "${rtt:-NO ANSWER}" "${seen:-NO ANSWER}"
  [ -n "$rtt" ] && [ -n "$seen" ]
}
up() {
  [ "$(id -u)" = 0 ] || { echo "make demo makes network namespaces and needs root" >&2; exit 1; }
  say "1. packages and programs"
  if [ "$kubernetes" = yes ]; then
    deploy/scripts/install-packages.sh gateway services lab kubernetes
    export MESHFABRIC_CACHE=${MESHFABRIC_CACHE:-${CACHE:-$HOME/.cache/meshfabric}}
    [ -x "$MESHFABRIC_CACHE/kubernetes/bin/kubelet" ] || echo "Kubernetes from Debian's source package (8 to 20 minutes, once)"
    tests/kubernetes/build-binaries.sh "$MESHFABRIC_CACHE/kubernetes"
    deploy/images/build-image.sh pause echo agent
  else
    deploy/scripts/install-packages.sh gateway services lab
  fi
  scripts/build.sh Release
  [ ! -d $dir ] || { echo "an earlier demo is up: removing it"; down; }
  if [ "$kubernetes" = yes ]; then
    say "2. a lab: an internet, a control plane with PostgreSQL and RabbitMQ, three Kubernetes clusters of two nodes with a Deployment in each"
    out/mflab up $name --programs out --api-port $port --kubelets
  else
    say "2. a lab: an internet, a control plane with PostgreSQL and RabbitMQ, three clusters with two gateways each"
    out/mflab up $name --programs out --api-port $port
  fi
  run out/mfctl login $url --token-file $dir/control/admin.token --ca-file $dir/control/pki/ca.crt --name $name
  say "3. joining aurora (10.10.0.0/16), borealis (10.20.0.0/16) and cirrus (10.20.0.0/16 again)"
  join aurora 2; join borealis 10; join cirrus 18
  run out/mfctl status --wait --timeout 60
  say "4. pod to pod by their mesh addresses: round trip, and the source address that the far pod's HTTP server saw"
  # The last two numbers of the address of a pod of each cluster.
  declare -gA pod=([aurora]=1.10 [borealis]=1.10 [cirrus]=1.10)
  if [ "$kubernetes" = yes ]; then
    local pods cluster number address
    pods=$(out/mflab pods $name); echo "$pods"; echo
    while read -r cluster number _ _ address; do [ "$number" != 2 ] || pod[$cluster]=${address#*.*.}; done <<<"$pods"
  fi
  printf '%-9s %-9s %-20s %-10s %s\n' FROM TO ADDRESS RTT "SEEN AS"
  local failed=0
  reach aurora borealis 10.20.${pod[borealis]} || failed=1
  reach aurora cirrus 100.64.${pod[cirrus]} || failed=1
  reach borealis aurora 10.10.${pod[aurora]} || failed=1
  reach borealis cirrus 100.64.${pod[cirrus]} || failed=1
  reach cirrus aurora 10.10.${pod[aurora]} || failed=1
  reach cirrus borealis 100.65.${pod[borealis]} || failed=1
  if [ "$kubernetes" != yes ]; then
    reach aurora cirrus fd6d:6600:0:1::a || failed=1
    reach cirrus borealis fd6d:6600:1:1::a || failed=1
  fi
  say "5. what the mesh says"
  run out/mfctl cluster list; echo; run out/mfctl tunnel list
  cat <<T

It stays up.
  dashboard   $url  (sign in with the token below; the certificate is of the demo's own CA, which no browser knows)
  API         $url  (CA: $dir/control/pki/ca.crt; token: $dir/control/admin.token)
  try         out/mfctl status | out/mfctl ping aurora cirrus | out/mfctl explain cirrus/gw1 | out/mfctl ipam allocations
T
  if [ "$kubernetes" = yes ]; then
    cat <<T
  in a pod    KUBECONFIG=$dir/kubernetes/aurora/local.kubeconfig kubectl -n demo exec deploy/echo -c neighbour -- mfecho get http://100.64.${pod[cirrus]}:8080/
              out/mflab pod $name aurora 1 -- ping -c 3 100.64.${pod[cirrus]}      (without kubectl)
  on a node   out/mflab exec $name aurora-n1 -- ip route show table all
  a power cut out/mflab power $name borealis-n1 off | on
  leave       out/mfctl cluster leave cirrus --kubeconfig $dir/kubernetes/cirrus/local.kubeconfig
T
  else
    cat <<T
  in a pod    $dir/on aurora-w1-p1 ping 100.64.1.10
  on a host   $dir/on aurora-gw1 meshfabric-agent status
T
  fi
  cat <<T
  stop        make demo-down
T
  [ $failed = 0 ] || { echo "demo: not every pod answered; see the logs in $dir/hosts" >&2; exit 1; }
}
case ${1:-} in up) up;; down) down;; *) sed -n 2,3p "$0" >&2; exit 2;; esac
