using System.Net;
using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.TestKit.WireGuard;
using MeshFabric.Tests.Domain.Planning;
using Microsoft.Extensions.Time.Testing;

namespace MeshFabric.Tests.Agent.Reconciling;

public sealed class FirewallCheckTests
{
    static readonly GatewayConfig Config = MeshPlanner.Plan(Meshes.Of(("aurora", 1, ["10.10.0.0/16"])), "nobody", "nobody");

    [Fact]
    public async Task A_check_that_failed_is_made_again_with_the_next_turn_though_nobody_asks()
    {
        var host = new Tables();
        var reconciler = new GatewayReconciler(new FakeWireGuardHost().Open(), host, host, host, host, host, PrivateKey.Generate(), new FakeTimeProvider());
        await TurnAsync(reconciler, check: true);

        host.InPlace = false;
        host.Broken = true;
        await Assert.ThrowsAsync<IOException>(() => TurnAsync(reconciler, check: true));
        await TurnAsync(reconciler, check: false);

        Assert.True(host.InPlace);
    }

    [Fact]
    public async Task Tables_that_are_in_place_are_read_only_when_asked()
    {
        var host = new Tables();
        var reconciler = new GatewayReconciler(new FakeWireGuardHost().Open(), host, host, host, host, host, PrivateKey.Generate(), new FakeTimeProvider());
        await TurnAsync(reconciler, check: true);
        var reads = host.Reads;

        await TurnAsync(reconciler, check: false);

        Assert.Equal(reads, host.Reads);
    }

    static Task TurnAsync(GatewayReconciler reconciler, bool check) => reconciler.ReconcileAsync(Config, _ => true, check, TestContext.Current.CancellationToken);

    /// <summary>A host of which only the tables matter.</summary>
    sealed class Tables : ILinks, IRouteTable, IFirewall, IRelays, IHostSettings
    {
        public bool InPlace { get; set; }

        /// <summary>Fails the next look at the tables.</summary>
        public bool Broken { get; set; }

        public int Reads { get; private set; }

        public int? TunnelMtu(IPAddress outer) => 1420;

        public IPAddress? SourceTowards(IPAddress to) => null;

        public Task ApplyAsync(ValueList<RelayPort> ports, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task ApplyAsync(string device, int mtu, ValueList<Cidr> addresses, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task ApplyAsync(ValueList<InstalledRoute> routes, ValueList<InstalledRoute>? transit, RouteUsers? users, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<ValueList<InstalledRoute>> ReadAsync(CancellationToken cancellationToken) => Task.FromResult<ValueList<InstalledRoute>>([]);

        public Task ApplyAsync(FirewallConfig config, CancellationToken cancellationToken)
        {
            InPlace = true;
            return Task.CompletedTask;
        }

        public Task<bool> IsInPlaceAsync(FirewallConfig config, CancellationToken cancellationToken)
        {
            Reads++;
            if (Broken)
            {
                Broken = false;
                throw new IOException("nft did not answer");
            }

            return Task.FromResult(InPlace);
        }

        public Task RemoveAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Prepare(bool forwards, bool forwards6)
        {
        }

        public void Restore()
        {
        }
    }
}
