namespace MeshFabric.WireGuard;

/// <summary>One implementation of WireGuard on this host: makes, configures, reads and deletes devices.</summary>
/// <remarks>
/// Knows WireGuard only: addresses, MTU and "up" are the link's and are set by rtnetlink. A device outlives the process that made it,
/// and a new process finds it again by name. All failures are <see cref="WireGuardException"/> with a reason.
/// </remarks>
public interface IWireGuardBackend : IAsyncDisposable
{
    /// <summary><c>kernel</c> or <c>userspace</c>.</summary>
    string Name { get; }

    /// <summary>Names of the devices of this backend in the network namespace it was opened in.</summary>
    Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken);

    /// <summary>Makes the device when it does not exist (a dead userspace process counts as not existing). True when it was made.</summary>
    /// <exception cref="WireGuardException">A link of another kind has that name; it is left alone.</exception>
    Task<bool> EnsureAsync(string device, CancellationToken cancellationToken);

    /// <summary>
    /// Makes the device's key, port and peers exactly <paramref name="wanted"/>, touching only what differs: an unchanged peer keeps its session,
    /// and its roamed endpoint unless the wanted endpoint is not null and differs from the one last wanted for it.
    /// Repeating a call changes nothing. Peers are removed after others are added, an allowed-ips prefix moves without a gap.
    /// A failure in the middle leaves a part done; the next call does the rest.
    /// </summary>
    Task ConfigureAsync(string device, DeviceConfig wanted, CancellationToken cancellationToken);

    /// <summary>What the device is now.</summary>
    Task<DeviceState> ReadAsync(string device, CancellationToken cancellationToken);

    /// <summary>Deletes the device; deleting one that does not exist is no error. A link of another kind by that name is left alone.</summary>
    Task DeleteAsync(string device, CancellationToken cancellationToken);
}
