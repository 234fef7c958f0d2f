using MeshFabric.TestKit.Hosts;
using MeshFabric.WireGuard;

namespace MeshFabric.TestKit.Contracts;

/// <summary>A host of the contract that is a network namespace of this machine.</summary>
public sealed class NamespaceHost(string label, Func<NetworkNamespace, IWireGuardBackend> open) : IContractHost
{
    public NetworkNamespace Namespace { get; } = new(label);

    public IWireGuardBackend Open() => open(Namespace);

    public void AddForeignLink(string name) => Namespace.Run("ip", "link", "add", name, "type", "bridge");

    public bool HasLink(string name) => Namespace.Try("ip", "link", "show", "dev", name).ExitCode == 0;

    public ValueTask DisposeAsync()
    {
        Namespace.Dispose();
        return ValueTask.CompletedTask;
    }
}
