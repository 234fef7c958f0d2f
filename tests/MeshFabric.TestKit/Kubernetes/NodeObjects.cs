using System.Globalization;
using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>Makes Node objects as a kubelet and a cloud's controller would.</summary>
public static class NodeObjects
{
    public static async Task<V1Node> CreateNodeAsync(this IKubernetes client, NodeObject node, CancellationToken cancellationToken)
    {
        var made = await client.CoreV1.CreateNodeAsync(
            new V1Node
            {
                Metadata = new V1ObjectMeta { Name = node.Name, Labels = node.Labels },
                Spec = new V1NodeSpec { PodCIDR = node.PodCidrs.Length > 0 ? node.PodCidrs[0] : null, PodCIDRs = node.PodCidrs.Length > 0 ? node.PodCidrs : null, ProviderID = node.ProviderId },
            },
            cancellationToken: cancellationToken);
        return await client.SetNodeStatusAsync(made, node, cancellationToken);
    }

    /// <summary>Replaces the status by what <paramref name="node"/> says; once more when a controller was faster.</summary>
    public static async Task<V1Node> SetNodeStatusAsync(this IKubernetes client, V1Node made, NodeObject node, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            made.Status = Status(node);
            try
            {
                return await client.CoreV1.ReplaceNodeStatusAsync(made, made.Metadata.Name, cancellationToken: cancellationToken);
            }
            catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Conflict && attempt < 10)
            {
                made = await client.CoreV1.ReadNodeAsync(made.Metadata.Name, cancellationToken: cancellationToken);
            }
        }
    }

    static V1NodeStatus Status(NodeObject node) => new()
    {
        Addresses = [.. node.Addresses.Select(a => new V1NodeAddress { Address = a, Type = "InternalIP" }), .. node.ExternalAddresses.Select(a => new V1NodeAddress { Address = a, Type = "ExternalIP" }), new V1NodeAddress { Address = node.Name, Type = "Hostname" }],
        // A kubelet that finds its Node object made beforehand adds to these and does not bear their absence.
        Capacity = new Dictionary<string, ResourceQuantity> { ["pods"] = new("110") },
        Allocatable = new Dictionary<string, ResourceQuantity> { ["pods"] = new("110") },
        Conditions = [new V1NodeCondition { Type = "Ready", Status = node.Ready ? "True" : "False", Reason = "Test", Message = string.Create(CultureInfo.InvariantCulture, $"ready: {node.Ready}") }],
        NodeInfo = new V1NodeSystemInfo
        {
            KubeletVersion = node.KubeletVersion,
            Architecture = "amd64",
            BootID = "",
            ContainerRuntimeVersion = "",
            KernelVersion = "",
            KubeProxyVersion = "",
            MachineID = "",
            OperatingSystem = "linux",
            OsImage = "",
            SystemUUID = "",
        },
    };
}

/// <summary>What a test wants to say about a node.</summary>
public sealed record NodeObject(string Name)
{
    public bool Ready { get; init; } = true;

    public string[] Addresses { get; init; } = [];

    public string[] ExternalAddresses { get; init; } = [];

    public string[] PodCidrs { get; init; } = [];

    public string? ProviderId { get; init; }

    public string KubeletVersion { get; init; } = "v1.20.2";

    public Dictionary<string, string> Labels { get; init; } = [];
}
