using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Linux;

/// <summary>This host's links, routes, tables and settings, by the Linux kernel's own interfaces.</summary>
/// <param name="isNode">It is a node of a Kubernetes cluster, with a node's table beside the gateway's.</param>
public sealed class LinuxHost(IHostSettings settings, bool isNode) : IDisposable
{
    readonly LinuxLinks _links = new();
    readonly LinuxRouteTable _routes = new();
    readonly LinuxFirewall _firewall = new(isNode);

    public GatewayReconciler Reconciler(IWireGuardBackend backend, PrivateKey key, TimeProvider time) =>
        new(backend, _links, _routes, _firewall, new LinuxRelays(time), settings, key, time);

    public IPathSocket PathSocket(TimeProvider time) => new LinuxPathSocket(_links.SourceTowards, time);

    public void Dispose()
    {
        _links.Dispose();
        _routes.Dispose();
        _firewall.Dispose();
    }
}
