namespace MeshFabric.Control.Meshing;

/// <summary>A gateway, as far as changing device keys goes.</summary>
/// <param name="Asked">Somebody wants another key since then.</param>
/// <param name="Began">Its key is being changed since then.</param>
/// <param name="Revision">Everybody must have made this revision true before it goes on.</param>
/// <param name="Used">What its devices have, as its agent says; null: it says nothing of keys.</param>
/// <param name="Offered">What its agent holds ready.</param>
/// <param name="Heard">Its agent was heard of lately.</param>
/// <param name="Applied">Revision that its agent made true.</param>
/// <param name="Peers">Gateways that it says it has a connected tunnel to.</param>
public sealed record KeyChangeGateway(
    string Id, string ClusterId, DateTimeOffset? Asked, DateTimeOffset? Began, long Revision, string PublicKey, string? Next, bool Changes, string? Used, string? Offered,
    bool Heard, long Applied, IReadOnlySet<string> Peers)
{
    /// <inheritdoc cref="Domain.Clusters.GatewayFacts.IsLeaf"/>
    public bool IsLeaf { get; init; }
}

/// <summary>What is to be done next about one gateway's key.</summary>
public abstract record KeyChangeStep(string Gateway)
{
    /// <summary>It is its turn: take traffic off it.</summary>
    public sealed record Begin(string Gateway) : KeyChangeStep(Gateway);

    /// <summary>Its agent is to make a key.</summary>
    public sealed record Ask(string Gateway) : KeyChangeStep(Gateway);

    /// <summary>All others are to hold the next key ready.</summary>
    public sealed record Stage(string Gateway, string Key) : KeyChangeStep(Gateway);

    /// <summary>It is to use its next key.</summary>
    public sealed record Change(string Gateway) : KeyChangeStep(Gateway);

    /// <summary>It uses it: that is its key now.</summary>
    public sealed record Settle(string Gateway) : KeyChangeStep(Gateway);

    /// <summary>All know it: traffic may come again.</summary>
    public sealed record End(string Gateway) : KeyChangeStep(Gateway);

    /// <summary>It stays with the key that it has.</summary>
    public sealed record GiveUp(string Gateway, string Reason) : KeyChangeStep(Gateway);
}

/// <summary>Changes device keys one gateway of a cluster at a time, so that the cluster's others carry meanwhile, never the two of a tunnel at once, and never before all others hold the next key ready. Pure.</summary>
/// <remarks>Level-triggered: what is to be done follows from what is. Once a gateway was told to use its next key there is no way back but by its own word: it may use it, and not be able to say so.</remarks>
public static class KeyChangePlan
{
    /// <summary>Until nobody sends by a gateway that was drained.</summary>
    public static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(3);

    /// <summary>For its agent to make a key: one that is older than this does not know how.</summary>
    public static readonly TimeSpan OfferTime = TimeSpan.FromMinutes(1);

    /// <summary>For all others to hold it ready.</summary>
    public static readonly TimeSpan StageTime = TimeSpan.FromMinutes(5);

    /// <summary>Clusters at a time.</summary>
    public const int AtOnce = 8;

    public static IReadOnlyList<KeyChangeStep> Next(IReadOnlyCollection<KeyChangeGateway> gateways, DateTimeOffset now)
    {
        var steps = OneOfEachTunnel(gateways, now, gateways.Where(g => g.Began is not null).Select(g => Next(g, gateways, now)).OfType<KeyChangeStep>());
        var busy = gateways.Where(g => g.Began is not null).Select(g => g.ClusterId).ToHashSet(StringComparer.Ordinal);
        foreach (var cluster in gateways.Where(g => g is { Asked: not null, Began: null, Heard: true } && !busy.Contains(g.ClusterId)).GroupBy(g => g.ClusterId)
            .OrderBy(c => c.Min(g => g.Asked)).ThenBy(c => c.Key, StringComparer.Ordinal))
        {
            if (busy.Count >= AtOnce)
            {
                break;
            }

            if (cluster.OrderBy(g => g.Asked).ThenBy(g => g.Id, StringComparer.Ordinal).FirstOrDefault(g => MayBegin(g, gateways)) is { } first)
            {
                busy.Add(cluster.Key);
                steps.Add(new KeyChangeStep.Begin(first.Id));
            }
        }

        return steps;
    }

    // If both sides of a tunnel used their next key at once, each would dial a key that the other one has no more.
    static List<KeyChangeStep> OneOfEachTunnel(IReadOnlyCollection<KeyChangeGateway> gateways, DateTimeOffset now, IEnumerable<KeyChangeStep> steps)
    {
        var (taken, changing) = (new List<KeyChangeStep>(), gateways.Where(g => g is { Changes: true, Heard: true }).ToList());
        foreach (var step in steps)
        {
            if (step is KeyChangeStep.Change)
            {
                var gateway = gateways.First(g => g.Id == step.Gateway);
                if (now - gateway.Began <= StageTime && changing.Exists(o => o.Peers.Contains(gateway.Id) || gateway.Peers.Contains(o.Id)))
                {
                    continue;
                }

                changing.Add(gateway);
            }

            taken.Add(step);
        }

        return taken;
    }

    // Where there are others, one of them must carry meanwhile.
    static bool MayBegin(KeyChangeGateway gateway, IReadOnlyCollection<KeyChangeGateway> all)
    {
        // A leaf carries for nobody else.
        var others = all.Where(g => g.ClusterId == gateway.ClusterId && g.Id != gateway.Id && (!g.IsLeaf || gateway.IsLeaf)).ToList();
        return others.Count == 0 || others.Exists(g => g.Heard && g.Peers.Count >= gateway.Peers.Count);
    }

    static KeyChangeStep? Next(KeyChangeGateway gateway, IReadOnlyCollection<KeyChangeGateway> all, DateTimeOffset now)
    {
        var since = now - gateway.Began!.Value;
        if (gateway.Next is null)
        {
            return gateway.Asked is null ? (gateway.Used == gateway.PublicKey && Knows(gateway, all)) || since > StageTime ? new KeyChangeStep.End(gateway.Id) : null
                : gateway.Offered is { } offered && offered != gateway.PublicKey ? IsTaken(offered, gateway, all)
                    ? new KeyChangeStep.GiveUp(gateway.Id, "another gateway has the key that its agent made: two machines share a state directory")
                    : new KeyChangeStep.Stage(gateway.Id, offered)
                : since > OfferTime ? new KeyChangeStep.GiveUp(gateway.Id, "its agent made no key: it is older than this service, or not heard of")
                : new KeyChangeStep.Ask(gateway.Id);
        }

        if (gateway.Changes)
        {
            return gateway.Used == gateway.Next ? new KeyChangeStep.Settle(gateway.Id)
                : gateway.Offered != gateway.Next && gateway.Used == gateway.PublicKey && gateway.Applied >= gateway.Revision ? new KeyChangeStep.GiveUp(gateway.Id, "its agent does not hold the key any more that it made")
                : null;
        }

        return gateway.Heard && Knows(gateway, all) ? since >= DrainTime ? new KeyChangeStep.Change(gateway.Id) : null
            : since > StageTime ? new KeyChangeStep.GiveUp(gateway.Id, "not all gateways that it has tunnels to hold its next key ready")
            : null;
    }

    static bool IsTaken(string key, KeyChangeGateway gateway, IReadOnlyCollection<KeyChangeGateway> all) => all.Any(g => g.Id != gateway.Id && (g.PublicKey == key || g.Next == key));

    // Those that are not heard of and have no tunnel to it lose nothing; with a tunnel they would.
    static bool Knows(KeyChangeGateway gateway, IReadOnlyCollection<KeyChangeGateway> all) =>
        all.Where(g => g.Heard || gateway.Peers.Contains(g.Id)).All(g => g.Applied >= gateway.Revision);
}
