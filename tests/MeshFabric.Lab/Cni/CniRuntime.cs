using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Cni;

/// <summary>What goes on in a cluster while it runs: pods that come and go, policies that change.</summary>
public sealed class CniRuntime
{
    readonly Lab _lab;
    readonly CniCluster _cluster;

    public CniRuntime(Lab lab, string cluster)
    {
        _lab = lab;
        _cluster = new CniCluster(lab.Topology, lab.Topology.Cluster(cluster));
    }

    /// <summary>The last pod of a node goes and comes again, by the real plug-in.</summary>
    /// <param name="address">IPv4, and the IPv6 one that it had at first; null: whatever the plug-in gives.</param>
    /// <returns>Its IPv4 address; null when the plug-in's pods are not made by a real one.</returns>
    public async Task<IPAddress?> ReplacePodAsync(int nodeNumber, IPAddress? address, CancellationToken cancellationToken)
    {
        var node = _cluster.Nodes[nodeNumber - 1];
        if (_cluster.Plugin.Pods(_cluster, node) is not { } pods)
        {
            return null;
        }

        var pod = node.Pods[^1];
        await _lab.ShellAsync(node.Host.Name, ReferenceCni.Command("DEL", pod, pods), cancellationToken);
        // host-local's way to ask for certain addresses.
        var asked = address is null ? pods : pods with { Settings = new(pods.Settings) { ["args"] = new { cni = new { ips = new[] { address, pod.Address6 }.OfType<IPAddress>().Select(a => a.ToString()).ToArray() } } } };
        var result = await _lab.ShellAsync(node.Host.Name, ReferenceCni.Command("ADD", pod, asked), cancellationToken);
        using var document = JsonDocument.Parse(result);
        return document.RootElement.GetProperty("ips").EnumerateArray().Select(i => IPAddress.Parse(i.GetProperty("address").GetString()!.Split('/')[0])).First(a => a.AddressFamily == AddressFamily.InterNetwork);
    }

    /// <summary>A policy on a pod, as the plug-in's engine enforces it, on all nodes.</summary>
    /// <param name="peer">Whom it lets in or lets it ask; null takes the policy away.</param>
    /// <returns>False: the plug-in enforces no policies.</returns>
    public async Task<bool> SetPolicyAsync(LabHost pod, PolicyDirection direction, PolicyPeer? peer, CancellationToken cancellationToken)
    {
        foreach (var node in _cluster.Nodes)
        {
            if (_cluster.Plugin.Policy(_cluster, node, pod, direction, peer) is not { } script)
            {
                return false;
            }

            await _lab.ShellAsync(node.Host.Name, script, cancellationToken);
        }

        return true;
    }
}
