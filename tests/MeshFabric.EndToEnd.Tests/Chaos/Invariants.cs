using System.Globalization;
using System.Net;
using System.Text.Json;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.EndToEnd.Tests.Chaos;

/// <summary>What must hold whatever breaks. Each tells what is wrong, or nothing.</summary>
sealed class Invariants(ChaosMesh mesh)
{
    // Asked of a failover is less than a second; a machine with two processors runs all of it, and lost packets are sent again after 1 and 3 s.
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);
    static readonly TimeSpan Once = TimeSpan.FromSeconds(2);
    static readonly TimeSpan Later = TimeSpan.FromSeconds(120);

    const string Counter = "clear";

    // For as long as it takes to mend a route: so many packets may find none of ours.
    const int Strays = 50;

    long _seenInClear;

    /// <summary>Counts whatever pods say to each other that passes the internet without a tunnel around it.</summary>
    public static Task WatchForClearTextAsync(ChaosMesh mesh, CancellationToken cancellationToken)
    {
        var pods = string.Join(", ", ChaosMesh.Prefixes);
        return mesh.Lab.ShellAsync("inet", $"nft 'table inet chaos {{ counter {Counter} {{ }}; chain passing {{ type filter hook prerouting priority -300; ip saddr {{ {pods} }} counter name {Counter}; ip daddr {{ {pods} }} ip saddr != {{ {pods} }} counter name {Counter}; }}; }}'", cancellationToken);
    }

    /// <summary>Each pod reaches each pod of the other cluster, by TCP and UDP, and is seen as itself.</summary>
    /// <param name="without">Nodes whose pods are cut off.</param>
    public async Task<string?> OneFlatNetworkAsync(IReadOnlyCollection<string> without, CancellationToken cancellationToken)
    {
        var pods = mesh.Nodes.Where(n => !without.Contains(n.Name)).Select(n => mesh.Pod(n.Name)).ToList();
        var wrong = await Task.WhenAll(pods.SelectMany(from => pods.Where(to => to.Cluster != from.Cluster).Select(to => UnreachedAsync(from, to, cancellationToken))));
        return wrong.OfType<string>().FirstOrDefault();
    }

    static async Task<string?> UnreachedAsync(LabHost from, LabHost to, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var tcp = await PodClient.SeenAsAsync(from, to.Address!, Once, cancellationToken);
            var udp = await PodClient.SeenByUdpAsync(from, to.Address!, Once, cancellationToken);
            if (from.Address!.Equals(tcp) && from.Address.Equals(udp))
            {
                return null;
            }

            if (TimeProvider.System.GetElapsedTime(started) > Soon)
            {
                return $"{from.Name} -> {to.Name}: after {Soon.TotalSeconds:0} s seen as {tcp?.ToString() ?? "nobody"} by TCP and {udp?.ToString() ?? "nobody"} by UDP";
            }
        }
    }

    /// <summary>What was connected stays so.</summary>
    public Task<string?> ConnectionsLastAsync(CancellationToken cancellationToken) => mesh.Connection.BrokenAsync(Soon, cancellationToken);

    /// <summary>Nothing of the pods' is on the internet but inside tunnels.</summary>
    /// <param name="strays">A few packets may have been: what sends them into tunnels was taken away.</param>
    public async Task<string?> NothingInClearAsync(bool strays, CancellationToken cancellationToken)
    {
        var passed = await PassedInClearAsync(cancellationToken);
        return passed <= (strays ? Strays : 0) ? null : $"{passed} packets of pods passed the internet in clear";
    }

    /// <summary>Packets since this was last asked. The mesh's counter outlives a test: each asks once when it begins, lest it be blamed for another's.</summary>
    public async Task<long> PassedInClearAsync(CancellationToken cancellationToken)
    {
        using var document = JsonDocument.Parse(await mesh.Lab.ShellAsync("inet", $"nft -j list counter inet chaos {Counter}", cancellationToken));
        var total = document.RootElement.GetProperty("nftables").EnumerateArray().Where(e => e.TryGetProperty("counter", out _)).Select(e => e.GetProperty("counter").GetProperty("packets").GetInt64()).Single();
        var passed = total - _seenInClear;
        _seenInClear = total;
        return passed;
    }

    /// <summary>Everything is as it is wanted: tunnels, devices, routes, tables, on each gateway, as its agent tells and as its host has it.</summary>
    public async Task<string?> AllIsAsWantedAsync(CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var wrong = await NotAsWantedAsync(cancellationToken);
            if (wrong is null || TimeProvider.System.GetElapsedTime(started) > Later)
            {
                return wrong;
            }

            await Task.Delay(500, cancellationToken);
        }
    }

    /// <summary>As <see cref="AllIsAsWantedAsync"/>, of this very moment.</summary>
    public async Task<string?> NotAsWantedAsync(CancellationToken cancellationToken)
    {
        var status = await TryAsync(["status", "-o", "json"], cancellationToken);
        if (status.ExitCode != 0 || !status.Output.Contains("\"ready\"", StringComparison.Ordinal))
        {
            return $"the mesh is not ready: {status.Output}{status.Error}";
        }

        foreach (var gateway in ChaosMesh.Clusters.SelectMany(c => Enumerable.Range(1, ChaosMesh.Gateways).Select(g => $"{c}/gw{g}")))
        {
            var explained = await TryAsync(["explain", gateway], cancellationToken);
            if (explained.ExitCode != 0)
            {
                return $"{gateway} is not as it is wanted: {explained.Output}{explained.Error}";
            }
        }

        return null;
    }

    /// <summary>On each node: the devices that there should be and no more, one program for each tunnel device, no file half written.</summary>
    public async Task<string?> NothingIsLeftOverAsync(CancellationToken cancellationToken)
    {
        foreach (var node in mesh.Nodes.Select(n => n.Name))
        {
            var wanted = ChaosMesh.IsGateway(node) ? string.Join(' ', Enumerable.Range(0, ChaosMesh.Gateways).Select(g => string.Create(CultureInfo.InvariantCulture, $"mf{g}"))) : "";
            var found = (await mesh.Lab.ShellAsync(node, "ip -o link | sed -nE 's/^[0-9]+: (mf[0-9]+)[:@].*/\\1/p' | sort | tr '\\n' ' '", cancellationToken)).Trim();
            if (found != wanted)
            {
                return $"{node} has the tunnel devices '{found}', not '{wanted}'";
            }

            var programs = (await mesh.Mesh.ProcessesAsync(node, cancellationToken)).Count(p => p.Program == "wireguard-go");
            if (programs != (ChaosMesh.IsGateway(node) ? ChaosMesh.Gateways : 0))
            {
                return $"{node} runs {programs} wireguard-go";
            }

            var files = (await mesh.Lab.ShellAsync(node, "find /var/lib/meshfabric -name '*.new' -o -name 'device.key.next'", cancellationToken)).Trim();
            if (files.Length > 0)
            {
                return $"{node} has files that nobody needs: {files}";
            }
        }

        return null;
    }

    /// <summary>No key of any tunnel is in what any program said.</summary>
    public async Task<string?> SecretsStaySecretAsync(CancellationToken cancellationToken)
    {
        var secrets = new List<string>();
        foreach (var node in mesh.Nodes.Select(n => n.Name).Where(ChaosMesh.IsGateway))
        {
            var script = "cat /var/lib/meshfabric/gateway/device.key 2>/dev/null; for d in $(wg show interfaces); do wg show $d preshared-keys | cut -f 2; done";
            secrets.AddRange((await mesh.Lab.ShellAsync(node, script, cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(s => s.Length == 44));
        }

        if (secrets.Count < ChaosMesh.Clusters.Count * ChaosMesh.Gateways)
        {
            return $"only {secrets.Count} secrets were found to look for";
        }

        foreach (var log in Directory.EnumerateFiles(mesh.Lab.Directory, "*.log", SearchOption.AllDirectories))
        {
            var text = await File.ReadAllTextAsync(log, cancellationToken);
            if (secrets.Find(s => text.Contains(s, StringComparison.Ordinal)) is not null)
            {
                return $"{log} has a tunnel's key in it";
            }
        }

        return null;
    }

    Task<MeshFabric.Lab.Processes.CommandResult> TryAsync(string[] words, CancellationToken cancellationToken) => mesh.Mesh.TryMfctlAsync(cancellationToken, words);
}
