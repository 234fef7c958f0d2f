namespace MeshFabric.Agent.Tunnels;

/// <summary>How large a packet may be that goes through one tunnel, found by sending such packets. Pure: time is handed in. Not for several threads at once.</summary>
/// <remarks>
/// As RFC 8899 has it: packets of the size in force are sent now and then; when several in a row are lost while small ones come through, something on the way throws large packets
/// away without saying so, and smaller ones are tried until one passes. Larger ones are tried again later, for ways change. What the kernel knows of the way is the bound.
/// </remarks>
public sealed class MtuSearch
{
    /// <summary>Of an underlay of 1280 bytes, less IPv6, UDP and WireGuard: below that ways are not looked for.</summary>
    public const int Smallest = 1200;

    /// <summary>What IPv6 needs at least (RFC 8200); a way that cannot take it takes it in pieces.</summary>
    public const int SmallestIPv6 = 1280;

    /// <summary>Of an underlay of jumbo frames, 9000 bytes.</summary>
    public const int Largest = 8920;

    /// <summary>Until more is proven: a link of 1500 bytes, less IPv6, UDP and WireGuard.</summary>
    public const int Usual = 1420;

    /// <summary>Lost packets of one size in a row that say that it does not pass.</summary>
    public const int LostMeansNo = 3;

    /// <summary>Between looks at the size in force, between tries of a search, and before larger ones are tried again.</summary>
    public static readonly TimeSpan Look = TimeSpan.FromSeconds(5), Try = TimeSpan.FromMilliseconds(200), Again = TimeSpan.FromSeconds(15);

    // What ways have: jumbo frames, and the usual encapsulations below 1500.
    static readonly int[] Sizes = [Largest, 4000, 1920, Usual, 1412, 1392, 1380, 1372, 1340, 1320, 1300, 1280, 1240, 1220, Smallest];

    int _bound = Usual;
    int? _refused;
    int _lost;
    DateTimeOffset _next;
    DateTimeOffset _triedLarger;
    bool _searching;
    int _seldom = 1;

    /// <summary>Bytes of the whole inner packet.</summary>
    public int Mtu { get; private set; } = Usual;

    /// <summary>When to ask <see cref="Due"/> again.</summary>
    public DateTimeOffset Next => _next;

    /// <summary>What to send now; null: nothing yet.</summary>
    /// <param name="bound">What the kernel knows to fit.</param>
    /// <param name="seldom">So many times more seldom, for there are many tunnels.</param>
    public int? Due(int bound, DateTimeOffset now, int seldom = 1)
    {
        _seldom = seldom;
        Bound(bound, now);
        if (now < _next)
        {
            return null;
        }

        if (!_searching && _refused is not null && now - _triedLarger >= Again * _seldom)
        {
            _refused = null;
        }

        _next = now + Try;
        return Wanted;
    }

    /// <param name="size">As <see cref="Due"/> gave it.</param>
    public void Passed(int size, DateTimeOffset now)
    {
        if (size != Wanted)
        {
            return;
        }

        (Mtu, _lost, _searching) = (size, 0, false);
        _next = now + (Wanted == Mtu ? Look * _seldom : Try);
    }

    /// <param name="isAlive">A small packet that was sent afterwards came through.</param>
    public void Lost(int size, bool isAlive, DateTimeOffset now)
    {
        if (size != Wanted || !isAlive)
        {
            // A way that carries nothing says nothing about sizes.
            _lost = 0;
            return;
        }

        if (++_lost < LostMeansNo)
        {
            return;
        }

        (_refused, _lost, _triedLarger) = (size, 0, now);
        if (size <= Mtu && size > Smallest)
        {
            // What is in force does not pass: the next smaller one at once, proven or not.
            _searching = true;
            Mtu = Wanted;
        }
        else
        {
            _searching = false;
            _next = now + (Look * _seldom);
        }
    }

    // The largest that is allowed and was not refused, but one step above what is proven at most: a step that fails costs nothing.
    int Wanted
    {
        get
        {
            var allowed = Sizes.Append(_bound).Where(s => s <= _bound && (_refused is null || s < _refused)).DefaultIfEmpty(Smallest).Order().ToList();
            return _searching || Mtu > allowed[^1] ? allowed[^1] : allowed.Find(s => s > Mtu) is var larger and > 0 ? larger : Math.Min(Mtu, _bound);
        }
    }

    void Bound(int bound, DateTimeOffset now)
    {
        bound = Math.Max(bound, Smallest);
        if (bound == _bound)
        {
            return;
        }

        // Another way, most likely: what did not pass may pass now, and must be seen to.
        (_bound, _refused, _lost, _searching, _next) = (bound, null, 0, false, now);
        Mtu = Math.Min(Mtu, bound);
    }
}
