#!/usr/bin/env bash
# lab.sh up|down|exec HOST COMMAND... - three clusters in network namespaces, with control plane, agents and pods; nothing is added to the host's own namespace.
#   MF_LAB=demo         name: prefix of the namespaces, folder of the state (/var/lib/meshfabric-lab/NAME)
# Hosts: inet (router), ctl (control plane, 203.0.113.2), per cluster NAME-gw1, NAME-gw2 (gateways), NAME-w (worker), NAME-p1, NAME-p2 (pods on the worker).
#   WAN 198.51.100.(4n)/30 per gateway, LAN 172.31.I.0/24 per cluster (gw1 .11, gw2 .12, worker .20), pods CIDR.2.0/24 behind the worker.
set -euo pipefail
cd "$(dirname "$0")/.."
lab=${MF_LAB:-lab} dir=/var/lib/meshfabric-lab/${MF_LAB:-lab} out=$PWD/out
clusters=(aurora:10.10 borealis:10.20 cirrus:10.20)
pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
rmq=$(ls -d /usr/lib/rabbitmq/lib/rabbitmq_server-* 2>/dev/null | sort -V | tail -1)

ns() { echo "$lab-$1"; }
x() { local h=$1; shift; ip netns exec "$lab-$h" "$@"; }
say() { printf '[%3ds] %s\n' $SECONDS "$*"; }
die() { echo "lab: $*" >&2; exit 1; }
wait_for() { # wait_for SECONDS WHAT COMMAND...
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || die "$what was not ready in time; see $dir/log"; sleep 0.1; done
}
# A host's own /run/wireguard, for wireguard-go's control sockets are found by path; outlives a restarted agent.
hosted() { # hosted HOST LOG COMMAND...: in the background, detached
  local h=$1 log=$dir/log/$2.log; shift 2; mkdir -p "$dir/$h/wireguard" /run/wireguard
  setsid ip netns exec "$lab-$h" sh -c 'mount --bind "$0" /run/wireguard && exec "$@"' "$dir/$h/wireguard" "$@" >>"$log" 2>&1 </dev/null &
  echo $! >"$dir/$h/pid"
}

host() { ip netns add "$lab-$1"; ip -n "$lab-$1" link set lo up
  x "$1" sh -c 'for s in net/ipv4/ip_forward:1 net/ipv6/conf/all/forwarding:1 net/ipv4/fib_multipath_hash_policy:1 net/ipv6/conf/default/accept_dad:0; do echo "${s#*:}" >/proc/sys/${s%:*}; done'; }
cable() { ip link add "$2" netns "$lab-$1" type veth peer name "$4" netns "$lab-$3"; ip -n "$lab-$1" link set "$2" up; ip -n "$lab-$3" link set "$4" up; }

network() {
  host inet; host ctl; cable ctl wan inet ctl
  ip -n "$lab-ctl" addr add 203.0.113.2/30 dev wan; ip -n "$lab-inet" addr add 203.0.113.1/30 dev ctl; ip -n "$lab-ctl" route add default via 203.0.113.1
  local i=0 n=0 c net g
  for c in "${clusters[@]}"; do
    net=${c#*:} c=${c%:*} i=$((i + 1))
    host "$c-lan"; ip -n "$lab-$c-lan" link add br0 type bridge; ip -n "$lab-$c-lan" link set br0 up
    host "$c-w"; cable "$c-w" lan "$c-lan" w; ip -n "$lab-$c-lan" link set w master br0; ip -n "$lab-$c-w" addr add "172.31.$i.20/24" dev lan
    for g in 1 2; do
      n=$((n + 1)); host "$c-gw$g"
      cable "$c-gw$g" lan "$c-lan" "gw$g"; ip -n "$lab-$c-lan" link set "gw$g" master br0; ip -n "$lab-$c-gw$g" addr add "172.31.$i.1$g/24" dev lan
      cable "$c-gw$g" wan inet "g$n"; ip -n "$lab-$c-gw$g" addr add "198.51.100.$((4 * n + 2))/30" dev wan; ip -n "$lab-inet" addr add "198.51.100.$((4 * n + 1))/30" dev "g$n"
      ip -n "$lab-$c-gw$g" route add default via "198.51.100.$((4 * n + 1))"; ip -n "$lab-$c-gw$g" route add "$net.2.0/24" via "172.31.$i.20"
      # As a CNI does: what leaves the cluster for elsewhere is masqueraded. A kept source address is therefore no accident.
      x "$c-gw$g" nft "add table ip cni; add chain ip cni post { type nat hook postrouting priority srcnat; }; add rule ip cni post ip saddr $net.0.0/16 ip daddr != $net.0.0/16 masquerade"
      echo "198.51.100.$((4 * n + 2))" >"$dir/$c-gw$g.address"
    done
    ip -n "$lab-$c-w" link add cni0 type bridge; ip -n "$lab-$c-w" link set cni0 up; ip -n "$lab-$c-w" addr add "$net.2.1/24" dev cni0
    # The site's routing: the mesh lies behind both gateways.
    ip -n "$lab-$c-w" route add default nexthop via "172.31.$i.11" nexthop via "172.31.$i.12"
    for p in 1 2; do
      host "$c-p$p"; cable "$c-p$p" eth0 "$c-w" "p$p"; ip -n "$lab-$c-w" link set "p$p" master cni0
      ip -n "$lab-$c-p$p" addr add "$net.2.1$p/24" dev eth0; ip -n "$lab-$c-p$p" route add default via "$net.2.1"
    done
  done
}

as() { setpriv --reuid="$1" --regid="$1" --init-groups --inh-caps=-all -- "${@:2}"; }
postgres_up() {
  local d=$dir/pg; mkdir -p "$d/run"; chown -R postgres:postgres "$d"
  (umask 077; openssl rand -hex 16 >"$dir/pg.password"); install -o postgres -m 600 "$dir/pg.password" "$d/pw"
  as postgres "$pg_bin/initdb" -D "$d/data" -U postgres -E UTF8 --locale=C.UTF-8 --auth=scram-sha-256 --pwfile="$d/pw" --no-sync --no-instructions >"$dir/log/initdb.log"
  rm "$d/pw"; printf '%s\n' "listen_addresses='127.0.0.1'" "unix_socket_directories='$d/run'" "max_connections=200" "shared_buffers=64MB" >>"$d/data/postgresql.conf"
  postgres_start
}
postgres_start() { (cd / && setsid ip netns exec "$lab-ctl" setpriv --reuid=postgres --regid=postgres --init-groups --inh-caps=-all -- "$pg_bin/postgres" -D "$dir/pg/data" -c fsync=off >>"$dir/log/postgres.log" 2>&1 </dev/null &)
  wait_for 60 PostgreSQL x ctl "$pg_bin/pg_isready" -q -h 127.0.0.1; }
rabbit_env() { env -i PATH="$PATH" HOME="$dir/mq" LANG=C.UTF-8 RABBITMQ_HOME="$rmq" RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_NODENAME="mf@localhost" RABBITMQ_MNESIA_BASE="$dir/mq/mnesia" \
  RABBITMQ_LOG_BASE="$dir/mq/log" RABBITMQ_CONFIG_FILE="$dir/mq/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$dir/mq/advanced.config" RABBITMQ_ENABLED_PLUGINS_FILE="$dir/mq/enabled_plugins" \
  RABBITMQ_SCHEMA_DIR="$dir/mq/schema" RABBITMQ_GENERATED_CONFIG_DIR="$dir/mq/gen" RABBITMQ_PID_FILE="$dir/mq/rabbit.pid" ERL_EPMD_ADDRESS=127.0.0.1 ERL_CRASH_DUMP_SECONDS=0 \
  RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}" RABBITMQ_ALLOW_INPUT=1 "$@"; }
rabbit_up() {
  local d=$dir/mq; mkdir -p "$d"/{mnesia,log,schema,gen,tls}; (umask 077; openssl rand -hex 16 >"$dir/mq.password"; openssl rand -hex 20 >"$d/.erlang.cookie"); chmod 400 "$d/.erlang.cookie"
  cp "$dir/pki/"{ca.crt,broker.crt,broker.key} "$d/tls/"; echo '[rabbitmq_management,rabbitmq_auth_mechanism_ssl].' >"$d/enabled_plugins"
  cat >"$d/rabbitmq.conf" <<CONF
listeners.tcp = none
listeners.ssl.default = 0.0.0.0:5671
ssl_options.cacertfile = $d/tls/ca.crt
ssl_options.certfile = $d/tls/broker.crt
ssl_options.keyfile = $d/tls/broker.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
auth_mechanisms.1 = PLAIN
auth_mechanisms.2 = EXTERNAL
ssl_cert_login_from = common_name
default_user = admin
default_pass = $(cat "$dir/mq.password")
default_user_tags.administrator = true
loopback_users = none
management.tcp.ip = 127.0.0.1
management.tcp.port = 15672
vm_memory_high_watermark.absolute = 2GB
disk_free_limit.absolute = 100MB
log.file.level = warning
CONF
  chown -R rabbitmq:rabbitmq "$d"; rabbit_start
}
rabbit_start() {
  (cd "$dir/mq" && rabbit_env setsid ip netns exec "$lab-ctl" setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups --inh-caps=-all -- epmd -address 127.0.0.1 -relaxed_command_check >>"$dir/log/epmd.log" 2>&1 </dev/null &)
  wait_for 20 epmd x ctl epmd -names
  (cd "$dir/mq" && rabbit_env setsid ip netns exec "$lab-ctl" setpriv --reuid=rabbitmq --regid=rabbitmq --init-groups --inh-caps=-all -- "$rmq/sbin/rabbitmq-server" -noinput >>"$dir/log/rabbitmq.log" 2>&1 </dev/null &)
  wait_for 120 RabbitMQ x ctl curl -fsS -m 3 -u "admin:$(cat "$dir/mq.password")" http://127.0.0.1:15672/api/health/checks/port-listener/5671
}
database() { echo "Host=127.0.0.1;Username=postgres;Password=$(cat "$dir/pg.password");Database=meshfabric"; }
control_start() {
  setsid ip netns exec "$lab-ctl" env MESHFABRIC_Database__ConnectionString="$(database)" MESHFABRIC_Broker__Host=203.0.113.2 MESHFABRIC_Broker__ManagementUrl=http://127.0.0.1:15672 \
    MESHFABRIC_Broker__Username=admin MESHFABRIC_Broker__PasswordFile="$dir/mq.password" MESHFABRIC_Pki__Directory="$dir/pki" MESHFABRIC_Api__Listen=https://0.0.0.0:8443 \
    MESHFABRIC_Api__PublicUrl=https://203.0.113.2:8443 MESHFABRIC_Bootstrap__AdminTokenFile="$dir/admin.token" "$out/meshfabric-control" run >>"$dir/log/control.log" 2>&1 </dev/null &
  echo $! >"$dir/control.pid"
  wait_for 60 "the control service" x ctl curl -fsS -m 3 --cacert "$dir/pki/ca.crt" https://203.0.113.2:8443/readyz
}
agent_start() { hosted "$1" "$1" "$out/meshfabric-agent" run --state "$dir/$1/state"; }

up() {
  [ ! -e "$dir" ] || die "$lab is up already: $0 down"
  mkdir -p "$dir/log"; chmod 755 "$dir"
  say "network: an internet, three clusters with two gateways, a worker and two pods each"; network
  say "PostgreSQL and RabbitMQ"
  "$out/meshfabric-control" pki create --directory "$dir/pki" --name localhost --ip 203.0.113.2 --ip 127.0.0.1 >/dev/null
  postgres_up & rabbit_up & wait
  say "schema and control service"
  x ctl "$out/meshfabric-schema" apply -c "$(database)" >"$dir/log/schema.log"
  control_start
  say "agents"
  local c g; for c in "${clusters[@]}"; do for g in 1 2; do agent_start "${c%:*}-gw$g"; done; done
  say "up"
}
down() {
  local n p
  for n in $(ip netns list | awk '{print $1}' | grep "^$lab-" || true); do for p in $(ip netns pids "$n"); do kill -KILL "$p" 2>/dev/null || true; done; done
  for n in $(ip netns list | awk '{print $1}' | grep "^$lab-" || true); do ip netns del "$n"; done
  for _ in $(seq 50); do rm -rf "$dir" 2>/dev/null && break; sleep 0.1; done
  rmdir --ignore-fail-on-non-empty "$(dirname "$dir")" /run/wireguard 2>/dev/null || true
}
case ${1:-} in
  up) up;; down) down;; exec) shift; x "$@";;
  agent) agent_start "$2";; control) control_start;; postgres) postgres_start;; rabbit) rabbit_start;; dir) echo "$dir";;
  *) sed -n 2,6p "$0"; exit 2;;
esac
