using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Kubelets;

/// <summary>The script that is a node: it boots containerd, kubelet and kube-proxy in PID, mount, cgroup, host name and IPC namespaces of their own.</summary>
/// <remarks>
/// Its first process is in <c>machine.pid</c>; killing that one takes the whole machine along, pods and all, as a power cut would.
/// What a disk would keep is in <c>disk/</c>. /run, /var/lib, /var/log and /etc are the node's own; everything else is this machine's.
/// </remarks>
static class NodeScript
{
    /// <param name="directory">The node's own.</param>
    /// <param name="kubernetes">Directory of kubelet and kube-proxy.</param>
    public static string Text(LabHost host, string directory, string kubernetes) => $$"""
        #!/bin/bash
        # machine - boots the node {{host.Name}}
        set -euo pipefail
        node={{directory}} kubernetes={{kubernetes}}
        if [ "${1:-}" != init ]; then
          # A cgroup of its own in every hierarchy, below the one that we are in; all read first, for entering one changes it.
          own=$(cat /proc/self/cgroup)
          : >"$node/cgroups"
          while IFS=: read -r _ controllers path; do
            hierarchy=/sys/fs/cgroup/${controllers#name=}
            [ -n "$controllers" ] && [ -d "$hierarchy" ] || continue
            parent=$hierarchy${path%/}
            group=$parent/mflab-{{host.Namespace}}
            mkdir -p "$group"
            echo "$group" >>"$node/cgroups"
            if [ "$controllers" = cpuset ]; then
              cat "$parent/cpuset.cpus" >"$group/cpuset.cpus"
              cat "$parent/cpuset.mems" >"$group/cpuset.mems"
            fi
            echo $$ >"$group/cgroup.procs"
          done <<<"$own"
          grep -q /memory/ "$node/cgroups" || { echo "a node needs the cgroup hierarchies of version 1 (boot with systemd.unified_cgroup_hierarchy=0)"; exit 1; }
          exec nsenter --net={{host.NamespacePath}} unshare --mount --pid --cgroup --uts --ipc --fork --kill-child=KILL --propagation private bash "$0" init
        fi

        # /proc is still this machine's: here we have the number that it knows us by.
        read -r stat </proc/self/stat
        echo "${stat%% *} $(cut -d' ' -f20 <<<"${stat##*) }")" >"$node/machine.pid.new"
        mv "$node/machine.pid.new" "$node/machine.pid"
        hostname {{host.Name}}
        mount -t proc -o nosuid,nodev,noexec proc /proc
        hierarchies=$(cut -d: -f2 /proc/self/cgroup)
        mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
        mount -t tmpfs -o mode=755,size=1m cgroup /sys/fs/cgroup
        for h in $hierarchies; do
          mkdir "/sys/fs/cgroup/${h#name=}"
          case $h in name=*) option=none,$h;; *) option=$h;; esac
          mount -t cgroup -o "$option" cgroup "/sys/fs/cgroup/${h#name=}"
        done

        # Files of its own. /etc is this machine's with the node's changes above it.
        disk=$node/disk
        mkdir -p "$disk"/{etc,etc.work,usr-lib,usr-lib.work,lib,log}
        mount -t overlay -o "lowerdir=/etc,upperdir=$disk/etc,workdir=$disk/etc.work" node /etc
        # A pod that mounts /lib/modules makes it where there is none.
        [ -d /lib/modules ] || mount -t overlay -o "lowerdir=/usr/lib,upperdir=$disk/usr-lib,workdir=$disk/usr-lib.work" node /usr/lib
        mount -t tmpfs -o mode=755,size=64m node /run
        mkdir /run/containerd /run/wireguard /run/lock /run/node
        mount --bind "$node" /run/node
        mount --bind /run/node/disk/log /var/log
        mount --bind /run/node/disk/lib /var/lib
        mkdir -p "$node" /var/lib/{kubelet,cni,meshfabric} /var/log/{pods,containers} /etc/cni/net.d
        mount --bind /run/node "$node"
        umount /run/node
        rmdir /run/node
        # As systemd has it: what kubelet mounts for a pod is seen in containers that ask for it. Not before, or the mounts above would be repeated below each other.
        mount --make-rshared /
        echo {{host.Name}} >/etc/hostname
        cp "$node/etc/cni.conflist" /etc/cni/net.d/10-lab.conflist

        # What kubelet wants to find in settings that the whole machine shares: stand-ins, so that nothing is changed for others.
        while read -r setting value; do
          file=/run/setting-${setting//\//-}
          echo "$value" >"$file"
          mount --bind "$file" "/proc/sys/$setting"
        done <<'END'
        vm/overcommit_memory 1
        vm/panic_on_oom 0
        kernel/panic 10
        kernel/panic_on_oops 1
        kernel/keys/root_maxkeys 1000000
        kernel/keys/root_maxbytes 25000000
        END
        # So that iptables sees what one pod of the node sends to another; of this network namespace.
        [ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables

        # As systemd would: whatever ends is started again.
        keep() { # keep NAME COMMAND...
          local name=$1; shift
          while :; do "$@" >>"$node/$name.log" 2>&1 || true; sleep 1; done &
        }
        keep containerd containerd --config "$node/etc/containerd.toml" --log-level warn
        until ctr version >/dev/null 2>&1; do sleep 0.1; done
        mkdir -p "$disk/images"
        imports=()
        while read -r image; do
          mark=$disk/images/$(basename "$image")
          [ -e "$mark" ] || { ctr -n k8s.io images import "$image" >/dev/null && : >"$mark"; } &
          imports+=($!)
        done <"$node/etc/images"
        for import in "${imports[@]}"; do wait "$import"; done

        # Pods take the node's address towards all that is not the cluster's own, as an ip-masq-agent does it.
        masquerade=(POSTROUTING -s "$(cat "$node/etc/pod-cidr")" ! -d "$(cat "$node/etc/pod-cidr")" -m comment --comment lab-masquerade -j MASQUERADE)
        iptables -w -t nat -C "${masquerade[@]}" 2>/dev/null || iptables -w -t nat -A "${masquerade[@]}"

        # The Node object says the pod CIDR; a kubelet that came first would be given another.
        until [ -e "$node/registered" ]; do sleep 0.1; done
        keep kubelet "$kubernetes/kubelet" --config="$node/etc/kubelet.yaml" --kubeconfig="$node/etc/kubelet.kubeconfig" --hostname-override={{host.Name}} --node-ip={{host.Address}} \
          --cloud-provider=external --container-runtime=remote --container-runtime-endpoint=unix:///run/containerd/containerd.sock --pod-infra-container-image={{KubeImages.Pause}} --v=1
        keep kube-proxy "$kubernetes/kube-proxy" --config="$node/etc/proxy.yaml" --v=1
        # The first process has to take in orphans, which wait does.
        trap 'exit 0' TERM
        while :; do wait || true; sleep 1; done

        """;
}
