using System.Net;
using System.Net.Sockets;
using MeshFabric.Net;
using MeshFabric.Netlink;
using MeshFabric.Netlink.NfTables;
using MeshFabric.TestKit.Hosts;

namespace MeshFabric.Host.Tests.Netlink;

public sealed class IcmpTablesTests
{
    const int ClosedPort = 9;
    const int Bytes = 300_000;
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);
    // Long enough for any answer that comes at all, on a slow machine too.
    static readonly TimeSpan Silence = TimeSpan.FromSeconds(3);

    public static TheoryData<AddressFamily> Families => [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6];

    [Theory, MemberData(nameof(Families))]
    public async Task A_closed_port_behind_a_remap_says_so_to_the_sender(AddressFamily family)
    {
        using var path = new RemapPath(family);
        path.TranslateErrors();
        Assert.Equal(SocketError.ConnectionRefused, await ErrorOfAsync(path.Far, path.PodOutside, hops: 64, Soon));
    }

    [Theory, MemberData(nameof(Families))]
    public async Task Without_the_tables_a_closed_port_behind_a_remap_is_silent(AddressFamily family)
    {
        using var path = new RemapPath(family);
        Assert.Null(await ErrorOfAsync(path.Far, path.PodOutside, hops: 64, Silence));
    }

    [Theory, MemberData(nameof(Families))]
    public async Task A_closed_port_far_away_says_so_to_a_translated_sender(AddressFamily family)
    {
        using var path = new RemapPath(family);
        path.TranslateErrors();
        Assert.Equal(SocketError.ConnectionRefused, await ErrorOfAsync(path.Pod, path.RemoteHost, hops: 64, Soon));
    }

    [Theory, MemberData(nameof(Families))]
    public async Task Without_the_tables_a_closed_port_far_away_is_silent_to_a_translated_sender(AddressFamily family)
    {
        using var path = new RemapPath(family);
        Assert.Null(await ErrorOfAsync(path.Pod, path.RemoteHost, hops: 64, Silence));
    }

    [Theory, MemberData(nameof(Families))]
    public async Task A_packet_that_dies_on_its_way_in_is_told_to_its_sender(AddressFamily family)
    {
        using var path = new RemapPath(family);
        path.TranslateErrors();
        Assert.Equal(SocketError.HostUnreachable, await ErrorOfAsync(path.Far, path.PodOutside, hops: 2, Soon));
    }

    [Theory, MemberData(nameof(Families))]
    public async Task Bulk_data_finds_the_smaller_MTU_behind_a_remap(AddressFamily family)
    {
        using var path = new RemapPath(family);
        path.TranslateErrors();
        path.ShrinkPodMtu(1300);
        Assert.Equal(Bytes, await TransferAsync(path, Soon));
    }

    [Theory, MemberData(nameof(Families))]
    public async Task Without_the_tables_bulk_data_stalls_at_a_smaller_MTU(AddressFamily family)
    {
        using var path = new RemapPath(family);
        path.ShrinkPodMtu(1300);
        Assert.InRange(await TransferAsync(path, Silence), 0, Bytes - 1);
    }

    [Theory, MemberData(nameof(Families))]
    public async Task Errors_to_others_than_the_named_destinations_are_left_alone(AddressFamily family)
    {
        using var path = new RemapPath(family);
        path.TranslateErrors(Cidr.Parse(family == AddressFamily.InterNetwork ? "10.99.0.0/16" : "fd99::/32"));
        Assert.Null(await ErrorOfAsync(path.Far, path.PodOutside, hops: 64, Silence));
        path.TranslateErrors(Cidr.Parse(family == AddressFamily.InterNetwork ? "10.99.0.0/16" : "fd99::/32"), path.Remote);
        Assert.Equal(SocketError.ConnectionRefused, await ErrorOfAsync(path.Far, path.PodOutside, hops: 64, Soon));
    }

    [Fact]
    public void What_is_installed_is_recognised_by_its_hash_until_somebody_changes_it()
    {
        using var host = new NetworkNamespace();
        var tables = new IcmpTables(host.Path);
        IcmpTranslation[] wanted =
        [
            new(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.65.0.0/16"), [Cidr.Parse("10.10.0.0/16")]),
            new(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.66.0.0/16"), []),
            new(Cidr.Parse("fd10:20::/48"), Cidr.Parse("fd65:1:1::/48"), []),
        ];
        Assert.Null(tables.ReadHash());
        for (var i = 0; i < 2; i++)
        {
            tables.Replace("mf", wanted);
            Assert.Equal(IcmpTables.HashOf("mf", wanted), tables.ReadHash());
        }

        Assert.NotEqual(IcmpTables.HashOf("mf", wanted), IcmpTables.HashOf("mf", wanted[..2]));
        host.Run("nft", "flush", "chain", "ip", "meshfabric_icmp", "destinations");
        Assert.Equal(IcmpTables.Damaged, tables.ReadHash());
        tables.Replace("mf", wanted);
        host.Run("nft", "add", "rule", "ip6", "meshfabric_icmp", "incoming", "counter");
        Assert.Equal(IcmpTables.Damaged, tables.ReadHash());
        host.Run("nft", "flush", "ruleset");
        Assert.Null(tables.ReadHash());
    }

    [Fact]
    public void Only_our_two_tables_come_and_go()
    {
        using var host = new NetworkNamespace();
        host.Nft("table ip foreign { chain c { type filter hook input priority 0; counter; }\n}\ntable ip6 foreign {\n}\n");
        var before = host.Run("nft", "list", "ruleset");
        var tables = new IcmpTables(host.Path);
        tables.Replace("mf", [new(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.65.0.0/16"), [])]);
        Assert.Contains("table ip meshfabric_icmp", host.Run("nft", "list", "tables"), StringComparison.Ordinal);
        Assert.DoesNotContain("ip6 meshfabric_icmp", host.Run("nft", "list", "tables"), StringComparison.Ordinal);
        tables.Remove();
        Assert.Equal(before, host.Run("nft", "list", "ruleset"));
    }

    [Fact]
    public void A_table_that_the_kernel_refuses_leaves_the_old_one_in_place()
    {
        using var host = new NetworkNamespace();
        var tables = new IcmpTables(host.Path);
        IcmpTranslation[] good = [new(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.65.0.0/16"), [])];
        tables.Replace("mf", good);
        // A device name holds 15 bytes: comparing more is refused.
        Assert.Throws<NetlinkException>(() => tables.Replace(new string('m', 80), good));
        Assert.Equal(IcmpTables.HashOf("mf", good), tables.ReadHash());
    }

    // The ICMP error that a connected socket gets for a packet to a closed port, or null: only errors whose embedded packet is this socket's own reach it.
    static async Task<SocketError?> ErrorOfAsync(NetworkNamespace from, IPAddress to, int hops, TimeSpan limit)
    {
        var v4 = to.AddressFamily == AddressFamily.InterNetwork;
        using var socket = from.Udp(to.AddressFamily);
        // IP_RECVERR, IPV6_RECVERR: also errors that a socket is not told otherwise; IP_TTL, IPV6_UNICAST_HOPS
        socket.SetRawSocketOption(v4 ? 0 : 41, v4 ? 11 : 25, BitConverter.GetBytes(1));
        socket.SetRawSocketOption(v4 ? 0 : 41, v4 ? 2 : 16, BitConverter.GetBytes(hops));
        await socket.ConnectAsync(new IPEndPoint(to, ClosedPort));
        using var over = new CancellationTokenSource(limit);
        try
        {
            while (true)
            {
                await socket.SendAsync(new byte[1], over.Token);
                using var next = CancellationTokenSource.CreateLinkedTokenSource(over.Token);
                next.CancelAfter(TimeSpan.FromSeconds(1));
                try
                {
                    await socket.ReceiveAsync(new byte[9], next.Token);
                }
                catch (OperationCanceledException) when (!over.IsCancellationRequested)
                {
                    // Asked again: an answer may be lost to the kernel's rate limit.
                }
            }
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    // Sends from far away to the pod; how many bytes arrived within the limit.
    static async Task<int> TransferAsync(RemapPath path, TimeSpan limit)
    {
        using var over = new CancellationTokenSource(limit);
        using var listener = path.Pod.Tcp(path.Family);
        listener.Bind(new IPEndPoint(path.PodLocal, 9200));
        listener.Listen();
        using var sender = path.Far.Tcp(path.Family);
        await sender.ConnectAsync(new IPEndPoint(path.PodOutside, 9200), over.Token);
        using var receiver = await listener.AcceptAsync(over.Token);
        var received = 0;
        var sending = sender.SendAsync(new byte[Bytes], over.Token).AsTask();
        try
        {
            var buffer = new byte[65536];
            while (received < Bytes)
            {
                received += await receiver.ReceiveAsync(buffer, over.Token);
            }

            await sending;
        }
        catch (OperationCanceledException)
        {
            await sending.ContinueWith(_ => { }, TaskScheduler.Default);
        }

        return received;
    }
}
