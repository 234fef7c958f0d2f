using k8s;
using k8s.Autorest;
using k8s.Models;
using MeshFabric.Agent.Local;
using MeshFabric.Agent.Nodes;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;
using MeshFabric.TestKit;
using MeshFabric.TestKit.Kubernetes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>Leases of a real API server.</summary>
public sealed class SlotKeeperTests(KubeApiServer server) : IClassFixture<KubeApiServer>
{
    const string Namespace = "default";
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_node_that_cannot_enrol_gives_its_slot_back_and_the_next_one_gets_its_turn()
    {
        using var admin = server.Api.Client();
        using var folder = new TemporaryDirectory();
        var token = folder.File("token");
        // Nobody listens there.
        await File.WriteAllTextAsync(token, new JoinToken("https://127.0.0.1:9", new string('0', 64), "j-1", "secret").Encode(), Cancel);
        foreach (var name in new[] { "slot-a", "slot-b" })
        {
            await admin.CreateNodeAsync(new NodeObject(name) { Addresses = ["192.0.2.1"], PodCidrs = ["10.1.0.0/24"] }, Cancel);
        }

        await using var a = await Keeper.StartAsync(server.Api.Kubeconfig, "slot-a", token, folder);
        await using var b = await Keeper.StartAsync(server.Api.Kubeconfig, "slot-b", token, folder);
        var holders = new List<string>();
        await Until.TrueAsync(
            async () =>
            {
                if (await HolderAsync(admin) is { } holder && holders.LastOrDefault() != holder)
                {
                    holders.Add(holder);
                }

                return holders.Count >= 4;
            },
            Limit, () => $"both nodes to have had the slot and to have given it back; it went to {string.Join(", ", holders.Select(h => $"'{h}'"))}", Cancel);

        Assert.Equal(["slot-a", "", "slot-b", ""], holders.Take(4));
        Assert.False(a.State.IsEnrolled || b.State.IsEnrolled);
    }

    static async Task<string?> HolderAsync(IKubernetes admin)
    {
        try
        {
            return (await admin.CoordinationV1.ReadNamespacedLeaseAsync("meshfabric-gateway-gw1", Namespace, cancellationToken: Cancel)).Spec.HolderIdentity ?? "";
        }
        catch (HttpOperationException)
        {
            return null;
        }
    }

    /// <summary>What of an agent of a node takes slots.</summary>
    sealed class Keeper : IAsyncDisposable
    {
        readonly ServiceProvider _services = new ServiceCollection().BuildServiceProvider();
        readonly ClusterApi _api;
        readonly GatewayRole _gateway;
        readonly SlotKeeper _keeper;

        Keeper(NodeSettings settings, AgentStateDirectory state)
        {
            State = state;
            _api = new ClusterApi(settings, TimeProvider.System, NullLogger<ClusterApi>.Instance);
            _gateway = new GatewayRole(_services.GetRequiredService<IServiceScopeFactory>(), state, new AgentView(), TimeProvider.System, null!, NullLogger<GatewayRole>.Instance, settings);
            _keeper = new SlotKeeper(settings, _api, state, _gateway, new AgentView(), TimeProvider.System, NullLogger<SlotKeeper>.Instance);
        }

        public AgentStateDirectory State { get; }

        public static async Task<Keeper> StartAsync(string kubeconfig, string node, string token, TemporaryDirectory folder)
        {
            var keeper = new Keeper(new NodeSettings(node, Namespace, kubeconfig, null, token, 1, 51820, [], false), new AgentStateDirectory(folder.File(node)));
            await keeper._api.StartAsync(Cancel);
            await keeper._keeper.StartAsync(Cancel);
            return keeper;
        }

        public async ValueTask DisposeAsync()
        {
            await _keeper.StopAsync(CancellationToken.None);
            await _api.StopAsync(CancellationToken.None);
            _keeper.Dispose();
            _gateway.Dispose();
            _api.Dispose();
            await _services.DisposeAsync();
        }
    }
}
