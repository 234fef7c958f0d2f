using System.Net;
using System.Net.Sockets;
using MeshFabric.Net;

namespace MeshFabric.Netlink.Route;

/// <summary>Links, addresses, routes and policy rules by rtnetlink (rtnetlink(7)), in the network namespace it was opened in. One user at a time.</summary>
public sealed partial class RouteNetlink : IDisposable
{
    const int RouteProtocol = 0;
    const int BatchBytes = 1 << 18;

    readonly NetlinkSocket _socket;
    readonly MessageWriter _writer = new();

    RouteNetlink(NetlinkSocket socket) => _socket = socket;

    public static RouteNetlink Open(string? namespacePath = null) =>
        new(namespacePath is null ? NetlinkSocket.Open(RouteProtocol) : NetlinkSocket.Open(RouteProtocol, namespacePath));

    public IReadOnlyList<Link> Links() => Dump(RouteMessages.GetLink, w => RouteMessages.WriteLink(w, 0), RouteMessages.NewLink, "listing links", p => RouteMessages.ReadLink(p));

    /// <summary>Null when there is none of that name.</summary>
    public Link? FindLink(string name)
    {
        Link? found = null;
        try
        {
            Request(RouteMessages.GetLink, MessageFlags.None, $"looking for the link {name}", w =>
            {
                RouteMessages.WriteLink(w, 0);
                RouteMessages.WriteLinkName(w, name);
            }, onMessage: (_, payload) => found = RouteMessages.ReadLink(payload));
        }
        catch (NetlinkException e) when (e.IsNotFound)
        {
            return null;
        }

        return found;
    }

    /// <exception cref="NetlinkException">It exists already, or the kernel has no such kind.</exception>
    public void AddLink(string name, string kind) =>
        Request(RouteMessages.NewLink, MessageFlags.Create | MessageFlags.Exclusive, $"adding the {kind} link {name}", w => RouteMessages.WriteNewLink(w, name, kind));

    /// <summary>Adds a VXLAN device (RFC 7348) that learns nothing: its forwarding entries are static.</summary>
    /// <exception cref="NetlinkException">It exists already, or another device has the same VNI and port.</exception>
    public void AddVxlan(string name, VxlanOptions options) =>
        Request(RouteMessages.NewLink, MessageFlags.Create | MessageFlags.Exclusive, $"adding the vxlan link {name}", w => RouteMessages.WriteNewVxlan(w, name, options));

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
        Dump(RouteMessages.GetAddress, w => w.Bytes(stackalloc byte[8]), RouteMessages.NewAddress, "listing addresses", p => RouteMessages.ReadAddress(p));

    public void AddAddress(LinkAddress address) =>
        Request(RouteMessages.NewAddress, MessageFlags.Create | MessageFlags.Replace, $"adding {address}", w => RouteMessages.WriteAddress(w, address));

    public void DeleteAddress(LinkAddress address) =>
        Request(RouteMessages.DelAddress, MessageFlags.None, $"deleting {address}", w => RouteMessages.WriteAddress(w, address), e => e is 99 or NetlinkException.NoDevice);

    /// <summary>Unicast, "throw" and unreachable routes of one protocol, both families, in every table.</summary>
    public IReadOnlyList<DeviceRoute> Routes(byte protocol)
    {
        var routes = new List<DeviceRoute>();
        foreach (var family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            routes.AddRange(Dump(RouteMessages.GetRoute, w =>
            {
                // struct rtmsg; the kernel compares the protocol (byte 5) itself, so a full Internet table is not copied to us
                w.U8(RouteMessages.Family(family));
                w.Bytes(stackalloc byte[4]);
                w.U8(protocol);
                w.Bytes(stackalloc byte[6]);
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

    /// <summary>Policy rules that ask a table, both families, in order of priority.</summary>
    public IReadOnlyList<PolicyRule> Rules() =>
        Dump(RuleMessages.Get, w => w.Bytes(stackalloc byte[12]), RuleMessages.New, "listing rules", p => RuleMessages.Read(p)).OrderBy(r => r.IsIPv4 ? 0 : 1).ThenBy(r => r.Priority).ToList();

    /// <summary>Adds a rule; the very same one a second time is no error.</summary>
    public void AddRule(PolicyRule rule) =>
        Request(RuleMessages.New, MessageFlags.Create | MessageFlags.Exclusive, $"adding the rule {rule.Priority}", w => RuleMessages.Write(w, rule), e => e == NetlinkException.Exists);

    /// <summary>Deletes this very rule; one that does not exist is no error.</summary>
    public void DeleteRule(PolicyRule rule) =>
        Request(RuleMessages.Delete, MessageFlags.None, $"deleting the rule {rule.Priority}", w => RuleMessages.Write(w, rule), e => e == NetlinkException.NoEntry);

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
                result = type == RouteMessages.NewRoute && RouteMessages.ReadRoute(payload) is { Hops.Count: > 0 } route
                    ? new RouteLookup(route.Hops[0].LinkIndex, route.Source, route.Mtu) : result);
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
        .GroupBy(r => (r.Destination, r.Table, r.IsUnreachable))
        .Select(g => g.First() with { Hops = g.SelectMany(r => r.Hops).Distinct().Order().ToValueList() })
        .OrderBy(r => r.Destination)
        .ToList();

    void Request(ushort type, MessageFlags flags, string operation, Action<MessageWriter> body, Func<int, bool>? ignore = null, MessageHandler? onMessage = null)
    {
        _writer.Clear();
        var sequence = _socket.NextSequence();
        _writer.Begin(type, flags | MessageFlags.Request | MessageFlags.Ack, sequence);
        body(_writer);
        _writer.End();
        _socket.Exchange(_writer, sequence, operation, onMessage, ignore);
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
