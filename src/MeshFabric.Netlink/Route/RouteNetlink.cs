using System.Net;
using System.Net.Sockets;
using MeshFabric.Net;

namespace MeshFabric.Netlink.Route;

/// <summary>Links, addresses and routes by rtnetlink (rtnetlink(7)), in the network namespace it was opened in. One user at a time.</summary>
public sealed class RouteNetlink : IDisposable
{
    const int RouteProtocol = 0;
    const int BatchBytes = 1 << 18;

    readonly NetlinkSocket _socket;
    readonly MessageWriter _writer = new();

    RouteNetlink(NetlinkSocket socket) => _socket = socket;

    public static RouteNetlink Open(string? namespacePath = null) =>
        new(namespacePath is null ? NetlinkSocket.Open(RouteProtocol) : NetlinkSocket.Open(RouteProtocol, namespacePath));

    public IReadOnlyList<Link> Links() => Dump(RouteMessages.GetLink, w => RouteMessages.WriteLink(w, 0), RouteMessages.NewLink, "listing links", p => RouteMessages.ReadLink(p));

    public Link? FindLink(string name) => Links().FirstOrDefault(l => l.Name == name);

    /// <exception cref="NetlinkException">It exists already, or the kernel has no such kind.</exception>
    public void AddLink(string name, string kind) =>
        Request(RouteMessages.NewLink, MessageFlags.Create | MessageFlags.Exclusive, $"adding the {kind} link {name}", w => RouteMessages.WriteNewLink(w, name, kind));

    public void DeleteLink(int index) =>
        Request(RouteMessages.DelLink, MessageFlags.None, $"deleting link {index}", w => RouteMessages.WriteLink(w, index), e => e == NetlinkException.NoDevice);

    public void SetUp(int index) =>
        Request(RouteMessages.NewLink, MessageFlags.None, $"setting link {index} up", w => RouteMessages.WriteLink(w, index, flags: 1, change: 1));

    public void SetMtu(int index, int mtu) => Request(RouteMessages.NewLink, MessageFlags.None, $"setting the MTU of link {index} to {mtu}", w =>
    {
        RouteMessages.WriteLink(w, index);
        w.AttributeU32(4, (uint)mtu);
    });

    public IReadOnlyList<LinkAddress> Addresses() =>
        Dump(RouteMessages.GetAddress, w => w.U32(0), RouteMessages.NewAddress, "listing addresses", p => RouteMessages.ReadAddress(p));

    public void AddAddress(LinkAddress address) =>
        Request(RouteMessages.NewAddress, MessageFlags.Create | MessageFlags.Replace, $"adding {address}", w => RouteMessages.WriteAddress(w, address));

    public void DeleteAddress(LinkAddress address) =>
        Request(RouteMessages.DelAddress, MessageFlags.None, $"deleting {address}", w => RouteMessages.WriteAddress(w, address), e => e is 99 or NetlinkException.NoDevice);

    /// <summary>Unicast routes of one protocol, both families, in every table.</summary>
    public IReadOnlyList<DeviceRoute> Routes(byte protocol)
    {
        var routes = new List<DeviceRoute>();
        foreach (var family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            routes.AddRange(Dump(RouteMessages.GetRoute, w =>
            {
                w.U8(RouteMessages.Family(family));
                w.Bytes(stackalloc byte[11]);
            }, RouteMessages.NewRoute, "listing routes", p => RouteMessages.ReadRoute(p)).Where(r => r.Protocol == protocol));
        }

        return Merge(routes);
    }

    /// <summary>Adds or replaces <paramref name="wanted"/>, then deletes <paramref name="unwanted"/>, in few sends. All are tried; the first refusal is thrown at the end.</summary>
    public void ChangeRoutes(IReadOnlyCollection<DeviceRoute> wanted, IReadOnlyCollection<DeviceRoute> unwanted)
    {
        NetlinkException? refused = null;
        _writer.Clear();
        uint last = 0;
        foreach (var (route, delete) in wanted.Select(r => (r, false)).Concat(unwanted.Select(r => (r, true))))
        {
            last = _socket.NextSequence();
            _writer.Begin(delete ? RouteMessages.DelRoute : RouteMessages.NewRoute, MessageFlags.Request | MessageFlags.Ack | (delete ? MessageFlags.None : MessageFlags.Create | MessageFlags.Replace), last);
            RouteMessages.WriteRoute(_writer, route);
            _writer.End();
            if (_writer.Length > BatchBytes)
            {
                Flush();
            }
        }

        Flush();
        if (refused is not null)
        {
            throw refused;
        }

        void Flush()
        {
            if (_writer.Count == 0)
            {
                return;
            }

            try
            {
                _socket.Exchange(_writer, last, "changing routes", ignore: e => e == NetlinkException.NoProcess);
            }
            catch (NetlinkException e)
            {
                refused ??= e;
            }

            _writer.Clear();
        }
    }

    /// <summary>How the kernel would send to <paramref name="to"/>; null when it has no route.</summary>
    public RouteLookup? Lookup(IPAddress to)
    {
        RouteLookup? result = null;
        try
        {
            _writer.Clear();
            var sequence = _socket.NextSequence();
            _writer.Begin(RouteMessages.GetRoute, MessageFlags.Request | MessageFlags.Ack, sequence);
            RouteMessages.WriteLookup(_writer, to);
            _writer.End();
            _socket.Exchange(_writer, sequence, $"looking up the route to {to}", (type, payload) =>
                result = type == RouteMessages.NewRoute && RouteMessages.ReadRoute(payload) is { LinkIndexes.Count: > 0 } route
                    ? new RouteLookup(route.LinkIndexes[0], route.Source, route.Mtu) : result);
        }
        catch (NetlinkException e) when (e.ErrorNumber is 101 or 113)
        {
            // ENETUNREACH, EHOSTUNREACH
            return null;
        }

        return result;
    }

    public void Dispose() => _socket.Dispose();

    // IPv6 lists each next hop of an ECMP route that was not made in one message as a route of its own.
    static List<DeviceRoute> Merge(List<DeviceRoute> routes) => routes
        .GroupBy(r => (r.Destination, r.Table))
        .Select(g => g.First() with { LinkIndexes = g.SelectMany(r => r.LinkIndexes).Distinct().Order().ToValueList() })
        .OrderBy(r => r.Destination)
        .ToList();

    void Request(ushort type, MessageFlags flags, string operation, Action<MessageWriter> body, Func<int, bool>? ignore = null)
    {
        _writer.Clear();
        var sequence = _socket.NextSequence();
        _writer.Begin(type, flags | MessageFlags.Request | MessageFlags.Ack, sequence);
        body(_writer);
        _writer.End();
        _socket.Exchange(_writer, sequence, operation, ignore: ignore);
    }

    delegate T? Decode<T>(ReadOnlySpan<byte> payload);

    List<T> Dump<T>(ushort type, Action<MessageWriter> body, int answer, string operation, Decode<T> decode) where T : class
    {
        for (var attempt = 0; ; attempt++)
        {
            var found = new List<T>();
            _writer.Clear();
            var sequence = _socket.NextSequence();
            _writer.Begin(type, MessageFlags.Request | MessageFlags.Dump, sequence);
            body(_writer);
            _writer.End();
            var consistent = _socket.Exchange(_writer, sequence, operation, (kind, payload) =>
            {
                if (kind == answer && decode(payload) is { } item)
                {
                    found.Add(item);
                }
            });
            // NLM_F_DUMP_INTR: the table changed meanwhile and the listing may have holes.
            if (consistent || attempt == 10)
            {
                return found;
            }
        }
    }
}
