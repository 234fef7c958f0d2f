using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.Paths;
using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.TestKit;

namespace MeshFabric.Host.Tests.Agent;

/// <summary>Path checks and relays on the real kernel: three hosts in a row, the middle one relays.</summary>
public sealed class PathTests : IDisposable
{
    const int Port = 51820;
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    static readonly IPAddress A = IPAddress.Parse("192.0.2.2"), B = IPAddress.Parse("198.51.100.2"), NearA = IPAddress.Parse("192.0.2.1"), NearB = IPAddress.Parse("198.51.100.1");

    readonly NetworkNamespace _a = new(), _relay = new(), _b = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public PathTests()
    {
        Cable(_a, A, NearA, "first");
        Cable(_b, B, NearB, "second");
        _relay.Exec("sysctl", "-qw", "net.ipv4.ip_forward=1");
    }

    void Cable(NetworkNamespace end, IPAddress address, IPAddress near, string name)
    {
        _relay.Exec("ip", "link", "add", name, "type", "veth", "peer", "name", "wan", "netns", end.Name);
        _relay.Exec("ip", "addr", "add", $"{near}/24", "dev", name);
        _relay.Exec("ip", "link", "set", name, "up");
        end.Exec("ip", "addr", "add", $"{address}/24", "dev", "wan");
        end.Exec("ip", "link", "set", "wan", "up");
        end.Exec("ip", "route", "add", "default", "via", $"{near}");
    }

    [Fact]
    public async Task A_check_goes_out_by_a_port_that_another_socket_has_and_nothing_but_checks_comes_in()
    {
        using var wireGuard = Bound(_b);
        using var sender = Path(_a);
        using var receiver = Path(_b);
        var seen = new List<(int Port, IPEndPoint From, byte[] Packet)>();
        _ = receiver.ReceiveAsync((port, from, packet) =>
        {
            lock (seen)
            {
                seen.Add((port, from, packet.ToArray()));
            }
        });
        var check = new PathCheck(false, 1, 2).Write(new byte[32]);
        await sender.SendAsync(Port, new IPEndPoint(B, Port), Encoding.ASCII.GetBytes("mf-path2 of another kind, and as long as a check"), Cancel);
        await sender.SendAsync(Port, new IPEndPoint(B, Port), check, Cancel);
        await Until.TrueAsync(() => Count() > 0, Limit, "the check", Cancel);

        var (to, source, packet) = Assert.Single(seen);
        Assert.Equal((Port, new IPEndPoint(A, Port)), (to, source));
        Assert.Equal(check, packet);
        // Whoever has the port sees both: the checksums were right.
        Assert.Equal(48, wireGuard.Receive(new byte[100]));
        Assert.Equal(48, wireGuard.Receive(new byte[100]));

        int Count()
        {
            lock (seen)
            {
                return seen.Count;
            }
        }
    }

    [Fact]
    public async Task Two_gateways_find_each_other_by_their_relay_and_then_directly()
    {
        var (keyA, keyB) = (PrivateKey.Generate(), PrivateKey.Generate());
        using var wireGuardA = Bound(_a);
        using var wireGuardB = Bound(_b);
        Relays([new(51828, 51829, A, NearA), new(51829, 51828, B, NearB)]);
        using var a = new Finder(() => Path(_a), keyA, keyB.ToPublicKey(), [Relay(NearA, 51828)]);
        using var b = new Finder(() => Path(_b), keyB, keyA.ToPublicKey(), [Relay(NearB, 51829)]);
        await Until.TrueAsync(() => a.Way?.Port == 51828 && b.Way?.Port == 51829, Limit, "both to find the relay", Cancel);

        a.Want([Relay(NearA, 51828), new(CandidateKind.Observed, new UdpEndpoint(B, Port))]);
        await Until.TrueAsync(() => Equals(a.Way, new IPEndPoint(B, Port)), Limit, "one to find the direct way", Cancel);
        // It was asked from there, and needs no candidate of its own.
        await Until.TrueAsync(() => Equals(b.Way, new IPEndPoint(A, Port)), Limit, "the other one to learn it", Cancel);
    }

    [Fact]
    public async Task A_relay_forgets_nothing_when_pairs_come_and_lets_nobody_else_in()
    {
        using var wireGuardA = Bound(_a);
        using var wireGuardB = Bound(_b);
        ValueList<RelayPort> pair = [new(51828, 51829, A, NearA), new(51829, 51828, B, NearB)];
        Relays(pair);
        Assert.Null(Hand(wireGuardA, NearA, 51828, wireGuardB, "nobody is there yet"));
        Assert.Equal("one", Hand(wireGuardB, NearB, 51829, wireGuardA, "one"));
        Assert.Equal("two", Hand(wireGuardA, NearA, 51828, wireGuardB, "two"));

        Relays([.. pair, new(51830, 51831, IPAddress.Parse("203.0.113.1"), NearA), new(51831, 51830, IPAddress.Parse("203.0.113.2"), NearB)]);
        Assert.Equal("three", Hand(wireGuardA, NearA, 51828, wireGuardB, "three"));

        // A NAT that changes its mind about the port, and back.
        using var moved = Bound(_a, Port + 1);
        Assert.Equal("of another port", Hand(moved, NearA, 51828, wireGuardB, "of another port"));
        await Until.TrueAsync(() => Hand(moved, NearA, 51828, wireGuardB, "on") == "on" && Hand(wireGuardB, NearB, 51829, moved, "to it") == "to it", Limit, "the other port to be learned", Cancel);
        Assert.Equal("again", Hand(wireGuardA, NearA, 51828, wireGuardB, "again"));
        await Until.TrueAsync(() => Hand(wireGuardA, NearA, 51828, wireGuardB, "again") == "again" && Hand(wireGuardB, NearB, 51829, wireGuardA, "back") == "back", Limit, "the first port to be learned again", Cancel);

        // The other side's port, and one of a pair of others.
        Assert.Null(Hand(wireGuardA, NearA, 51829, wireGuardB, "four"));
        Assert.Null(Hand(wireGuardA, NearA, 51830, wireGuardB, "five"));

        Relays([]);
        Assert.Null(Hand(wireGuardA, NearA, 51828, wireGuardB, "six"));
        Assert.Equal("", _relay.Exec("nft", "list", "ruleset"));
    }

    [Fact]
    public void Whoever_shares_the_address_takes_nobodys_place_and_a_relay_never_has_learned_enough()
    {
        using var wireGuardA = Bound(_a);
        using var wireGuardB = Bound(_b);
        Relays([new(51828, 51829, A, NearA), new(51829, 51828, B, NearB)]);
        Assert.Null(Hand(wireGuardA, NearA, 51828, wireGuardB, "nobody is there yet"));
        Assert.Equal("one", Hand(wireGuardB, NearB, 51829, wireGuardA, "one"));

        // More than any of the kernel's sets takes.
        for (var port = 2000; port < 8000; port++)
        {
            using var stranger = Bound(_a, port);
            stranger.SendTo("stranger"u8.ToArray(), new IPEndPoint(NearA, 51828));
            if (port % 100 == 0)
            {
                while (wireGuardB.Available > 0)
                {
                    wireGuardB.Receive(new byte[100]);
                }

                Assert.Equal("still", Hand(wireGuardA, NearA, 51828, wireGuardB, "still"));
                Assert.Equal("here", Hand(wireGuardB, NearB, 51829, wireGuardA, "here"));
            }
        }
    }

    static PathCandidate Relay(IPAddress address, int port) => new(CandidateKind.Relay, new UdpEndpoint(address, port), "hub/gw1");

    /// <summary>What came out at the other side; null when nothing did.</summary>
    static string? Hand(Socket from, IPAddress relay, int port, Socket to, string text)
    {
        from.SendTo(Encoding.ASCII.GetBytes(text), new IPEndPoint(relay, port));
        var buffer = new byte[100];
        to.ReceiveTimeout = 300;
        try
        {
            return Encoding.ASCII.GetString(buffer, 0, to.Receive(buffer));
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
        {
            return null;
        }
    }

    void Relays(ValueList<RelayPort> ports)
    {
        var (code, output) = _relay.Try(ports.Count > 0 ? LinuxRelays.Script(ports) : $"delete table inet {LinuxRelays.Table}", "nft", "-f", "-");
        Assert.True(code == 0, output);
    }

    static Socket Bound(NetworkNamespace host, int port = Port)
    {
        Socket socket = null!;
        host.Inside(() =>
        {
            socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(IPAddress.Any, port));
        });
        return socket;
    }

    LinuxPathSocket Path(NetworkNamespace host)
    {
        LinuxPathSocket socket = null!;
        host.Inside(() => socket = new LinuxPathSocket(_ => host == _a ? A : B, TimeProvider.System));
        return socket;
    }

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
        _relay.Dispose();
    }

    /// <summary>A finder of one peer, told the same again and again as by a loop.</summary>
    sealed class Finder : IDisposable
    {
        readonly CancellationTokenSource _end = new();
        readonly PathFinder _finder;
        readonly PublicKey _far;
        readonly Task _running;

        public Finder(Func<IPathSocket> open, PrivateKey key, PublicKey far, ValueList<PathCandidate> candidates)
        {
            _finder = new PathFinder(open, key, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
            _far = far;
            Want(candidates);
            _running = _finder.RunAsync(() => { }, _end.Token);
        }

        public IPEndPoint? Way => _finder.Way(Peer([Relay(NearA, 1)]));

        public void Want(ValueList<PathCandidate> candidates) => _finder.Update(
            GatewayConfig.None(1, "x", "gw1") with { Devices = [new("mf0", 0, Port, [], [Peer(candidates)])] }, new Dictionary<PublicKey, IPEndPoint>(), _ => false);

        TunnelPeer Peer(ValueList<PathCandidate> candidates) => new("y", "gw1", _far, [], true, 25, [], []) { Candidates = candidates };

        public void Dispose()
        {
            _end.Cancel();
            _running.Wait(TimeSpan.FromSeconds(5));
            _finder.Dispose();
            _end.Dispose();
        }
    }
}
