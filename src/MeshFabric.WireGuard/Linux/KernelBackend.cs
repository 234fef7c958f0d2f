using System.Collections.Concurrent;
using MeshFabric.Netlink;
using MeshFabric.Netlink.Generic;
using MeshFabric.Netlink.Route;

namespace MeshFabric.WireGuard.Linux;

/// <summary>Devices of the kernel's own WireGuard, by generic netlink.</summary>
public sealed class KernelBackend : IWireGuardBackend
{
    const int ReadAttempts = 20;

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

    public const string Kind = "kernel";

    public string Name => Kind;

    /// <summary>Null when the kernel has no WireGuard. Asking loads the module where there is one.</summary>
    public static KernelBackend? TryOpen(string? namespacePath = null)
    {
        var generic = GenericNetlink.Open(namespacePath);
        try
        {
            if (generic.FindFamily(KernelCodec.Family) is { } family)
            {
                return new KernelBackend(generic, RouteNetlink.Open(namespacePath), family);
            }
        }
        catch
        {
            generic.Dispose();
            throw;
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
            var next = ChangePosition.Start;
            do
            {
                var from = next;
                _generic.Exchange(_family, KernelCodec.SetDevice, KernelCodec.Version, MessageFlags.Ack, $"configuring {device}", w => next = KernelCodec.WriteChange(w, device, change, from));
            }
            while (next.Peer < change.Peers.Count);
        }

        _lastWanted[device] = wanted;
        return true;
    }, cancellationToken);

    public Task<DeviceState> ReadAsync(string device, CancellationToken cancellationToken) => RunAsync(() => Read(device), cancellationToken);

    public Task DeleteAsync(string device, CancellationToken cancellationToken) => RunAsync(() =>
    {
        _lastWanted.TryRemove(device, out _);
        // A link of another kind by that name is somebody else's.
        if (_route.FindLink(device) is { Kind: KernelCodec.Family } link)
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
        for (var attempt = 0; attempt < ReadAttempts; attempt++)
        {
            var builder = new DeviceBuilder(device);
            if (_generic.Exchange(_family, KernelCodec.GetDevice, KernelCodec.Version, MessageFlags.Dump, $"reading {device}", w => KernelCodec.WriteName(w, device), p => KernelCodec.Read(p, builder)))
            {
                return builder.Build();
            }
        }

        throw new WireGuardException(WireGuardError.Protocol, $"{device} changed during each of {ReadAttempts} attempts to read it: another program keeps configuring it");
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
            throw new WireGuardException(Reason(e), e.Message, e);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    // A link of another kind has no WireGuard device either: the family says EOPNOTSUPP.
    static WireGuardError Reason(NetlinkException e) => e switch
    {
        { IsNotFound: true } or { ErrorNumber: NotSupported } => WireGuardError.NotFound,
        { IsDenied: true } => WireGuardError.Denied,
        { IsMalformed: true } => WireGuardError.Protocol,
        _ => WireGuardError.Refused,
    };

    const int NotSupported = 95;
}
