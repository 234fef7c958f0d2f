namespace MeshFabric.Lab;

/// <summary>The script that runs a command in a host of the lab.</summary>
/// <remarks>
/// A network namespace has no files of its own. WireGuard's control sockets and the agent's state have fixed places, so every host sees directories of its own there:
/// a fresh /run and /var/lib/meshfabric, the same for every command in one host. The machine's own files are not changed.
/// What is in the host's directory root/run, root/var/lib or root/etc stands at that place too: a CNI plug-in's files.
/// </remarks>
static class HostScript
{
    public static string Text(LabSpec spec, string? programs) => $$"""
        #!/bin/sh
        # on [--detach PIDFILE LOG] HOST COMMAND... - runs a command in a host of the lab {{spec.Name}}
        set -e
        lab={{spec.Directory}}
        detach=
        if [ "$1" = --detach ]; then detach=1 pidfile=$2 log=$3; shift 3; fi
        host=$1; shift
        [ -e "/run/netns/{{spec.Name}}-$host" ] || { echo "on: the lab has no host '$host'" >&2; exit 2; }
        [ $# -gt 0 ] || set -- "${SHELL:-sh}"
        programs={{programs}}
        # A host may have programs of its own: another version.
        [ ! -e "$lab/hosts/$host/programs" ] || read -r programs <"$lab/hosts/$host/programs"
        [ -z "$programs" ] || export PATH="$programs:$PATH"
        # A node is a machine of its own: what runs there ends with it.
        node=$lab/hosts/$host
        if [ -e "$node/machine" ]; then
          pid= started=
          [ ! -e "$node/machine.pid" ] || read -r pid started <"$node/machine.pid"
          [ -n "$pid" ] && [ -e "/proc/$pid/stat" ] && [ "$(sed "s/.*) //" "/proc/$pid/stat" | cut -d" " -f20)" = "$started" ] || { echo "on: $host is switched off" >&2; exit 2; }
          while read -r group; do echo $$ >"$group/cgroup.procs"; done <"$node/cgroups"
          into="nsenter --target $pid --net --mount --pid --cgroup --uts --ipc --wd=/"
          [ -n "$detach" ] || exec $into "$@"
          # By descriptor 3 the program finds the number that this machine knows it by; in the node it has another.
          exec 3</proc
          exec setsid --fork $into sh -ec 'read -r stat </proc/self/fd/3/self/stat
            echo "${stat%% *} $(echo "${stat##*) }" | cut -d" " -f20)" >"$0.new"
            mv "$0.new" "$0"
            exec "$@" 3<&-' "$pidfile" "$@" >>"$log" 2>&1 </dev/null
        fi
        mkdir -p "$lab/netns" "$lab/hosts/$host/wireguard" "$lab/hosts/$host/state"
        # $0 is the lab, $1 the host; /run/lab keeps the lab in reach while /var/lib is being covered.
        # Other hosts stay in reach, as by ssh: /run/netns is carried over.
        inside='h=$1; shift
        mount --rbind /run/netns "$0/netns"
        mount -t tmpfs -o mode=755,size=1m lab /run
        mkdir /run/wireguard /run/lab /run/netns
        mount --rbind "$0/netns" /run/netns
        mount --bind "$0" /run/lab
        mount -t tmpfs -o mode=755,size=1m lab /var/lib
        mkdir -p "$0" /var/lib/meshfabric
        mount --bind /run/lab "$0"
        umount /run/lab
        rmdir /run/lab
        mount --bind "$0/hosts/$h/wireguard" /run/wireguard
        mount --bind "$0/hosts/$h/state" /var/lib/meshfabric
        if [ -d "$0/hosts/$h/root" ]; then
          mkdir /run/machine
          mount --rbind /etc /run/machine
          mount -t tmpfs -o mode=755,size=1m lab /etc
          ln -s /run/machine/* /etc/
          for own in "$0/hosts/$h/root"/run/* "$0/hosts/$h/root"/var/lib/* "$0/hosts/$h/root"/etc/*; do
            [ -e "$own" ] || continue
            at=${own#"$0/hosts/$h/root"}
            if [ -d "$own" ]; then mkdir -p "$at"; else : >"$at"; fi
            mount --bind "$own" "$at"
          done
        fi
        cd "$0"
        if [ -n "$LAB_PIDFILE" ]; then
          pidfile=$LAB_PIDFILE; unset LAB_PIDFILE
          echo "$$ $(sed "s/.*) //" /proc/$$/stat | cut -d" " -f20)" >"$pidfile.new"
          mv "$pidfile.new" "$pidfile"
        fi
        exec "$@"'
        if [ -n "$detach" ]; then
          export LAB_PIDFILE=$pidfile
          exec setsid --fork ip netns exec "{{spec.Name}}-$host" sh -ec "$inside" "$lab" "$host" "$@" >>"$log" 2>&1 </dev/null
        fi
        exec ip netns exec "{{spec.Name}}-$host" sh -ec "$inside" "$lab" "$host" "$@"

        """;
}
