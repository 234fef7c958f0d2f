using System.Text.Json;
using MeshFabric.Agent.Linux;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Tests.Repository;

namespace MeshFabric.Tests.Agent.Networking;

/// <summary>A node in a folder: its files below it, what its kernel and programs answer in <c>host.json</c> and the texts beside.</summary>
sealed class CannedNode : INodeQueries
{
    public static readonly string Folder = Path.Combine(Repo.Root, "tests", "MeshFabric.Tests", "Agent", "Networking", "nodes");

    readonly string _root;
    readonly Host _host;

    public CannedNode(string name)
    {
        _root = Path.Combine(Folder, name);
        _host = JsonSerializer.Deserialize<Host>(File.ReadAllText(Path.Combine(_root, "host.json")), MeshJson.Options)!;
    }

    public ValueList<Cidr> PodCidrs => _host.PodCidrs;

    public ValueList<Cidr> ClusterPodCidrs => _host.ClusterPodCidrs;

    public Task<NodeObservation> ObserveAsync() => new LinuxNodeObserver(_root, this).ObserveAsync(TestContext.Current.CancellationToken);

    public IReadOnlyList<NodeLink> Links() => _host.Links;

    public IReadOnlyList<Cidr> CalicoBlocks() => _host.Blackholes ?? [];

    public Task<string?> RunAsync(string program, string[] arguments, CancellationToken cancellationToken) => Task.FromResult(program switch
    {
        "nft" => Text("nft-chains.txt"),
        "ipset" => Text("ipset.txt"),
        "iptables-legacy-save" => Text("legacy-nat.txt"),
        _ => null,
    });

    public Task<string?> GetAsync(Uri address, CancellationToken cancellationToken) => Task.FromResult(Text("weave-report.json"));

    string? Text(string file) => File.Exists(Path.Combine(_root, file)) ? File.ReadAllText(Path.Combine(_root, file)) : null;

    sealed record Host(ValueList<Cidr> PodCidrs, ValueList<Cidr> ClusterPodCidrs, ValueList<NodeLink> Links, ValueList<Cidr>? Blackholes);
}
