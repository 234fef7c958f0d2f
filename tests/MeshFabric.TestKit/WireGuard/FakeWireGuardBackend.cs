using System.Collections.Concurrent;
using MeshFabric.WireGuard;

namespace MeshFabric.TestKit.WireGuard;

/// <summary>WireGuard in memory, for tests of what stands on it. Several may be open on one host: a restart is a second one.</summary>
public sealed class FakeWireGuardBackend(FakeWireGuardHost host) : IWireGuardBackend
{
    readonly ConcurrentDictionary<string, DeviceConfig> _lastWanted = new();

    public string Name => "fake";

    public Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken) => Run<IReadOnlyList<string>>(host.List, cancellationToken);

    public Task<bool> EnsureAsync(string device, CancellationToken cancellationToken) => Run(() =>
    {
        var made = host.Ensure(device);
        if (made)
        {
            _lastWanted.TryRemove(device, out _);
        }

        return made;
    }, cancellationToken);

    public Task ConfigureAsync(string device, DeviceConfig wanted, CancellationToken cancellationToken) => Run(() =>
    {
        host.Configure(device, wanted, _lastWanted.GetValueOrDefault(device));
        _lastWanted[device] = wanted;
        return true;
    }, cancellationToken);

    public Task<DeviceState> ReadAsync(string device, CancellationToken cancellationToken) => Run(() => host.Read(device), cancellationToken);

    public Task DeleteAsync(string device, CancellationToken cancellationToken) => Run(() =>
    {
        _lastWanted.TryRemove(device, out _);
        host.Delete(device);
        return true;
    }, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public override string ToString() => host.ToString();

    // Failures come out of the task, as from the real ones.
    static async Task<T> Run<T>(Func<T> action, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await Task.CompletedTask;
        return action();
    }
}
