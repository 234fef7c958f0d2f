using System.Collections.Concurrent;
using MeshFabric.Netlink;
using MeshFabric.Netlink.Generic;
using MeshFabric.Netlink.Route;

namespace MeshFabric.WireGuard.Linux;

/// <summary>Devices of the kernel's own WireGuard, by generic netlink.</summary>
public sealed class KernelBackend : IWireGuardBackend
{
    readonly GenericNetlink _generic;
    readonly RouteNetlink _route;
    readonly ushort _family;
    readonly SemaphoreSlim _oneAtATime = new(1, 1);
    readonly ConcurrentDictionary<string, DeviceConfig> _lastWanted = new();

    KernelBackend(GenericNetlink generic, RouteNetlink route, ushort family)
    {
        _generic = generic;
        _route = route;
        _family = family;
    }

    public string Name => "kernel";

    /// <summary>Null when the kernel has no WireGuard. Asking loads the module where there is one.</summary>
    public static KernelBackend? TryOpen(string? namespacePath = null)
    {
        var generic = GenericNetlink.Open(namespacePath);
        if (generic.FindFamily(KernelCodec.Family) is { } family)
        {
            return new KernelBackend(generic, RouteNetlink.Open(namespacePath), family);
        }

        generic.Dispose();
        return null;
    }

    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) =>
        RunAsync<IReadOnlyList<string>>(() => _route.Links().Where(l => l.Kind == KernelCodec.Family).Select(l => l.Name).Order(StringComparer.Ordinal).ToList(), cancellationToken);

    public Task<bool> EnsureAsync(string device, CancellationToken cancellationToken) => RunAsync(() =>
    {
        if (_route.FindLink(device) is { } existing)
        {
            if (existing.Kind != KernelCodec.Family)
            {
                throw new WireGuardException(WireGuardError.Refused, $"a link named {device} exists already, of kind '{existing.Kind}': delete it, or stop what made it");
            }

            return false;
        }

        _lastWanted.TryRemove(device, out _);
        _route.AddLink(device, KernelCodec.Family);
        return true;
    }, cancellationToken);

    public Task ConfigureAsync(string device, DeviceConfig wanted, CancellationToken cancellationToken) => RunAsync(() =>
    {
        var change = DeviceChange.Between(Read(device), wanted, _lastWanted.GetValueOrDefault(device));
        if (!change.IsEmpty)
        {
            var next = 0;
            do
            {
                var first = next;
                _generic.Exchange(_family, KernelCodec.SetDevice, KernelCodec.Version, MessageFlags.Ack, $"configuring {device}", w => next = KernelCodec.WriteChange(w, device, change, first));
            }
            while (next < change.Peers.Count);
        }

        _lastWanted[device] = wanted;
        return true;
    }, cancellationToken);

    public Task<DeviceState> ReadAsync(string device, CancellationToken cancellationToken) => RunAsync(() => Read(device), cancellationToken);

    public Task DeleteAsync(string device, CancellationToken cancellationToken) => RunAsync(() =>
    {
        _lastWanted.TryRemove(device, out _);
        if (_route.FindLink(device) is { } link)
        {
            _route.DeleteLink(link.Index);
        }

        return true;
    }, cancellationToken);

    public ValueTask DisposeAsync()
    {
        _generic.Dispose();
        _route.Dispose();
        _oneAtATime.Dispose();
        return ValueTask.CompletedTask;
    }

    DeviceState Read(string device)
    {
        while (true)
        {
            var builder = new DeviceBuilder(device);
            if (_generic.Exchange(_family, KernelCodec.GetDevice, KernelCodec.Version, MessageFlags.Dump, $"reading {device}", w => KernelCodec.WriteName(w, device), p => KernelCodec.Read(p, builder)))
            {
                return builder.Build();
            }
        }
    }

    async Task<T> RunAsync<T>(Func<T> action, CancellationToken cancellationToken)
    {
        await _oneAtATime.WaitAsync(cancellationToken);
        try
        {
            return action();
        }
        catch (NetlinkException e)
        {
            var reason = e.IsNotFound ? WireGuardError.NotFound : e.IsDenied ? WireGuardError.Denied : WireGuardError.Refused;
            throw new WireGuardException(reason, e.Message, e);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }
}
