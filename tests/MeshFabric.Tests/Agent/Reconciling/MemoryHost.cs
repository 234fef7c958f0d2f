using System.Net;
using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.TestKit.WireGuard;

namespace MeshFabric.Tests.Agent.Reconciling;

/// <summary>A host in memory: what the reconciler can change, and what others changed behind its back.</summary>
sealed class MemoryHost : ILinks, IRouteTable, IFirewall, IRelays, IHostSettings
{
    public FakeWireGuardHost WireGuard { get; } = new();

    public Dictionary<string, (int Mtu, ValueList<Cidr> Addresses)> Links { get; } = [];

    public ValueList<InstalledRoute> Routes { get; set; } = [];

    public FirewallConfig? Firewall { get; set; }

    public bool? Forwards { get; private set; }

    /// <summary>Fails the next call of this port once.</summary>
    public string? Broken { get; set; }

    /// <summary>Calls that changed something.</summary>
    public int Changes { get; private set; }

    public int? TunnelMtu(IPAddress outer) => 1420;

    public Task ApplyAsync(string device, int mtu, ValueList<Cidr> addresses, CancellationToken cancellationToken)
    {
        Fail("links");
        if (!WireGuard.HasLink(device))
        {
            throw new InvalidOperationException($"the device {device} is gone");
        }

        if (!Links.TryGetValue(device, out var has) || !has.Equals((mtu, addresses)))
        {
            Links[device] = (mtu, addresses);
            Changes++;
        }

        return Task.CompletedTask;
    }

    public IPAddress? SourceTowards(IPAddress to) => IPAddress.Parse("198.51.100.1");

    public ValueList<RelayPort> Relays { get; private set; } = [];

    public Task ApplyAsync(ValueList<RelayPort> ports, CancellationToken cancellationToken)
    {
        Relays = ports;
        return Task.CompletedTask;
    }

    public ValueList<InstalledRoute>? Transit { get; private set; }

    public Task ApplyAsync(ValueList<InstalledRoute> routes, ValueList<InstalledRoute>? transit, RouteUsers? users, CancellationToken cancellationToken)
    {
        Fail("routes");
        Changes += Routes.Equals(routes) ? 0 : 1;
        (Routes, Transit) = (routes, transit);
        return Task.CompletedTask;
    }

    public Task<ValueList<InstalledRoute>> ReadAsync(CancellationToken cancellationToken) => Task.FromResult(Routes);

    public Task ApplyAsync(FirewallConfig config, CancellationToken cancellationToken)
    {
        Fail("firewall");
        Firewall = config;
        Changes++;
        return Task.CompletedTask;
    }

    public Task<bool> IsInPlaceAsync(FirewallConfig config, CancellationToken cancellationToken) => Task.FromResult(Firewall == config);

    public Task RemoveAsync(CancellationToken cancellationToken)
    {
        Firewall = null;
        Relays = [];
        return Task.CompletedTask;
    }

    public void Prepare(bool forwards, bool forwards6) => Forwards = forwards;

    public void Restore() => Forwards = null;

    void Fail(string port)
    {
        if (Broken == port)
        {
            Broken = null;
            throw new InvalidOperationException($"{port}: refused");
        }
    }
}
