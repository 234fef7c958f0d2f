namespace MeshFabric.Agent.Transit;

/// <summary>What the gateways of hubs last said that they do not reach. Pure: time is handed in. Not for several threads at once.</summary>
sealed class ReachTable
{
    /// <summary>Who says nothing for so long is not trusted to carry while somebody else does.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(30);

    readonly Dictionary<(string Cluster, string Gateway), Said> _said = [];

    sealed class Said
    {
        public IReadOnlySet<ulong>? Unreached { get; set; }
        public DateTimeOffset At { get; set; }
        public uint Number { get; set; }
        public Dictionary<int, IReadOnlyList<ulong>> Parts { get; set; } = [];
    }

    /// <summary>Takes a part of an answer; true when whom that gateway reaches is others now.</summary>
    public bool Take((string Cluster, string Gateway) from, ReachPart part, DateTimeOffset now)
    {
        if (!_said.TryGetValue(from, out var said))
        {
            _said[from] = said = new Said();
        }

        if (said.Number != part.Number || said.Parts.Count == 0)
        {
            (said.Number, said.Parts) = (part.Number, []);
        }

        said.Parts[part.Part] = part.Unreached;
        if (said.Parts.Count < part.Parts)
        {
            return false;
        }

        var unreached = said.Parts.Values.SelectMany(p => p).ToHashSet();
        var changed = said.Unreached is null || now - said.At > Lifetime || !unreached.SetEquals(said.Unreached);
        (said.Unreached, said.At, said.Parts) = (unreached, now, []);
        return changed;
    }

    /// <summary>Its tunnel died: what it said says nothing about when it is back.</summary>
    public void Forget((string Cluster, string Gateway) carrier) => _said.Remove(carrier);

    /// <summary>It has said so lately; or it has not said that it does not.</summary>
    /// <param name="cluster">As of <see cref="ReachPacket.Of"/>.</param>
    public bool Reaches((string Cluster, string Gateway) carrier, ulong cluster, DateTimeOffset now) => IsKnown(carrier, now) && !_said[carrier].Unreached!.Contains(cluster);

    public bool IsKnown((string Cluster, string Gateway) carrier, DateTimeOffset now) => _said.TryGetValue(carrier, out var said) && said.Unreached is not null && now - said.At <= Lifetime;

    public void Keep(IReadOnlySet<(string Cluster, string Gateway)> carriers)
    {
        foreach (var gone in _said.Keys.Where(k => !carriers.Contains(k)).ToList())
        {
            _said.Remove(gone);
        }
    }
}
