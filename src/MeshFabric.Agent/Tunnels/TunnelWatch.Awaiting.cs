using MeshFabric.Domain.Planning;

namespace MeshFabric.Agent.Tunnels;

// For whoever must know that a tunnel passes now, and not a moment ago.
public sealed partial class TunnelWatch
{
    /// <summary>Probes the tunnels of this device quickly until another one is awaited; null: nobody waits.</summary>
    public void Await(string? device)
    {
        var others = _watched.Values.Where(w => w.IsAwaited != (w.Device.Name == device)).ToList();
        others.ForEach(w => w.IsAwaited = !w.IsAwaited);
        if (others.Count > 0)
        {
            _signal.Wake();
        }
    }

    /// <summary>When the last probe was sent by this tunnel that was answered; null: none was.</summary>
    public DateTimeOffset? AnsweredOf(NextHop hop)
    {
        if (!_watched.TryGetValue((hop.Cluster, hop.Gateway), out var watched))
        {
            return null;
        }

        lock (watched)
        {
            return watched.AnsweredOf;
        }
    }
}
