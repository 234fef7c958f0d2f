namespace MeshFabric.Agent.Tunnels;

/// <summary>Which epoch's pre-shared key one tunnel has. Pure: time is handed in.</summary>
/// <remarks>
/// The one that the facts say, as a rule. The far side may know older facts, for the control service may be away from it, and then it has an older key: a handshake fails, and so
/// do all after it. While that is so, what is held is tried in turn, by the clock, so that both sides come to the same one; what worked stays until the facts say another.
/// </remarks>
public sealed class KeyChoice
{
    /// <summary>A session lives 180 s and is renewed after 120 s: this long after its last handshake, one must have failed.</summary>
    public static readonly TimeSpan Overdue = TimeSpan.FromSeconds(135);

    /// <summary>What the facts say is given so long in any case: a handshake is tried again every 5 s.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    /// <summary>Each of the others is tried for so long.</summary>
    public static readonly TimeSpan Slot = TimeSpan.FromSeconds(12);

    int _wanted;
    bool _tried;
    int? _worked;
    DateTimeOffset _wantedSince;

    /// <summary>Of the key that was last chosen; 0 before.</summary>
    public int Epoch { get; private set; }

    /// <param name="wanted">As the facts say; not 0.</param>
    /// <param name="held">Oldest first.</param>
    /// <returns>Null: what the device has stays, for nothing of use is held.</returns>
    public int? Choose(int wanted, IReadOnlyList<int> held, DateTimeOffset? lastHandshake, DateTimeOffset now)
    {
        if (wanted != _wanted)
        {
            (_wanted, _tried, _worked, _wantedSince) = (wanted, false, null, now);
        }

        // A newer one than is wanted is one that the far side does not have.
        var usable = held.Where(e => e <= wanted).ToList();
        if (usable.Count == 0)
        {
            return null;
        }

        // Without it having been tried, what worked before says nothing about it.
        var wasTried = _tried;
        _tried |= usable.Contains(wanted);
        if (now - _wantedSince > Patience && (lastHandshake is null || now - lastHandshake > Overdue))
        {
            return Epoch = usable[(int)(now.ToUnixTimeSeconds() / (long)Slot.TotalSeconds % usable.Count)];
        }

        if (!usable.Contains(wanted))
        {
            return null;
        }

        if (wasTried && Epoch != wanted && usable.Contains(Epoch) && lastHandshake > _wantedSince)
        {
            _worked = Epoch;
        }

        return Epoch = _worked is { } worked && usable.Contains(worked) ? worked : wanted;
    }
}
