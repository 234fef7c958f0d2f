namespace MeshFabric.Control.Meshing;

/// <summary>The newest revision that has been published for so long that every agent should hold it: who is below missed something.</summary>
public sealed class SettledRevision(TimeProvider time)
{
    static readonly TimeSpan Delivery = TimeSpan.FromSeconds(5);

    readonly Lock _lock = new();
    readonly Queue<(long Revision, long Seen)> _recent = [];
    long _newest = -1;
    long _settled;

    /// <summary>Takes note of what is published now; returns what was published a few seconds ago already.</summary>
    public long Observe(long published)
    {
        lock (_lock)
        {
            if (published > _newest)
            {
                _newest = published;
                _recent.Enqueue((published, time.GetTimestamp()));
            }

            while (_recent.TryPeek(out var oldest) && time.GetElapsedTime(oldest.Seen) >= Delivery)
            {
                _settled = oldest.Revision;
                _recent.Dequeue();
            }

            return _settled;
        }
    }
}
