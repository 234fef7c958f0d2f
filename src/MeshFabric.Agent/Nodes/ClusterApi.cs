using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;
using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.ServiceDefaults;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Nodes;

/// <summary>The cluster's own API as the agent of a node needs it: copies of nodes, gateways and what other agents saw, and the writing of our own.</summary>
sealed class ClusterApi : BackgroundService, INodeObservations
{
    readonly ObjectWatch<V1Node> _nodes;
    readonly ObjectWatch<MeshGatewayObject> _gateways;
    readonly ObjectWatch<MeshNodeObject> _meshNodes;

    public ClusterApi(NodeSettings settings, TimeProvider time, ILogger<ClusterApi> log)
    {
        Client = KubernetesConnection.Open(new KubernetesOptions { Kubeconfig = settings.Kubeconfig, Context = settings.Context });
        _nodes = new ObjectWatch<V1Node>(Client, ObjectKinds.Nodes, time, Changed.Wake, log);
        _gateways = new ObjectWatch<MeshGatewayObject>(Client, ObjectKinds.MeshGateways, time, Changed.Wake, log);
        _meshNodes = new ObjectWatch<MeshNodeObject>(Client, ObjectKinds.MeshNodes, time, Changed.Wake, log);
    }

    public IKubernetes Client { get; }

    /// <summary>Something in one of the copies changed. For one waiter.</summary>
    public WakeSignal Changed { get; } = new();

    /// <summary>Null until they were read.</summary>
    public IReadOnlyList<V1Node>? Nodes => _nodes.Objects;

    public IReadOnlyList<MeshNodeObject>? MeshNodes => _meshNodes.Objects;

    public IReadOnlyList<MeshGatewayObject>? MeshGateways => _gateways.Objects;

    /// <summary>What the agents of the nodes wrote, by node.</summary>
    IReadOnlyDictionary<string, NodeObservation> INodeObservations.Current =>
        (_meshNodes.Objects ?? []).Where(n => n.Status.Observation is not null).ToDictionary(n => n.Metadata.Name, n => n.Status.Observation!);

    ValueList<Cidr>? INodeObservations.Beacons => Facts is { } facts ? OverlayReading.Beacons(facts) : null;

    /// <summary>Why the API cannot be used now; null while it can.</summary>
    public string? Failure => _nodes.Failure ?? _gateways.Failure ?? _meshNodes.Failure;

    /// <summary>Null until everything was read once.</summary>
    public OverlayFacts? Facts =>
        _nodes.Objects is { } nodes && _gateways.Objects is { } gateways && _meshNodes.Objects is { } meshNodes ? OverlayReading.Facts(nodes, gateways, meshNodes) : null;

    public V1Node? Node(string name) => _nodes.Objects?.FirstOrDefault(n => n.Metadata.Name == name);

    public MeshNodeObject? MeshNode(string name) => _meshNodes.Objects?.FirstOrDefault(n => n.Metadata.Name == name);

    public MeshGatewayObject? MeshGateway(string name) => _gateways.Objects?.FirstOrDefault(n => n.Metadata.Name == name);

    /// <summary>Creates what has no version, and puts everything else in the place of its version. Where our copy is behind, nothing is written: the watch will tell, and the next turn tries again.</summary>
    public async Task WriteAsync<T>(string plural, T item, CancellationToken cancellationToken) where T : IKubernetesObject<V1ObjectMeta>
    {
        var known = item.Metadata.ResourceVersion is not null;
        try
        {
            await (known
                ? Client.CustomObjects.ReplaceClusterCustomObjectAsync(item, MeshObjects.Group, MeshObjects.Version, plural, item.Metadata.Name, cancellationToken: cancellationToken)
                : Client.CustomObjects.CreateClusterCustomObjectAsync(item, MeshObjects.Group, MeshObjects.Version, plural, cancellationToken: cancellationToken));
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Conflict || (known && e.Response.StatusCode == HttpStatusCode.NotFound))
        {
            // Made, changed or deleted since we read it.
        }
    }

    /// <summary>Unless somebody wrote it anew since we read it.</summary>
    public async Task DeleteAsync<T>(string plural, T item, CancellationToken cancellationToken) where T : IKubernetesObject<V1ObjectMeta>
    {
        var known = new V1DeleteOptions { Preconditions = new V1Preconditions { ResourceVersion = item.Metadata.ResourceVersion } };
        try
        {
            await Client.CustomObjects.DeleteClusterCustomObjectAsync(MeshObjects.Group, MeshObjects.Version, plural, item.Metadata.Name, known, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode is HttpStatusCode.Conflict or HttpStatusCode.NotFound)
        {
            // The watch will tell.
        }
    }

    /// <summary>Makes this the status of the node's MeshNode, if it is not.</summary>
    public async Task ReportAsync(V1Node node, MeshNodeStatus status, CancellationToken cancellationToken)
    {
        var present = MeshNode(node.Metadata.Name);
        if (present is not null && MeshNodeStatus.Same(present.Status, status))
        {
            return;
        }

        await WriteAsync(MeshNodeObject.Plural, new MeshNodeObject
        {
            Metadata = new V1ObjectMeta
            {
                Name = node.Metadata.Name,
                ResourceVersion = present?.Metadata.ResourceVersion,
                // Goes with its node.
                OwnerReferences = [new V1OwnerReference { ApiVersion = "v1", Kind = "Node", Name = node.Metadata.Name, Uid = node.Metadata.Uid }],
            },
            Status = status,
        }, cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(_nodes.RunAsync(stoppingToken), _gateways.RunAsync(stoppingToken), _meshNodes.RunAsync(stoppingToken));

    public override void Dispose()
    {
        base.Dispose();
        Client.Dispose();
    }
}
