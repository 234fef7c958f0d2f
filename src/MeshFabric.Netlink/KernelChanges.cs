using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace MeshFabric.Netlink;

/// <summary>What kind of thing changed in the kernel.</summary>
[Flags]
public enum KernelChange
{
    None = 0,
    Link = 1,
    Address = 2,
    Route = 4,
    Rule = 8,
    Firewall = 16,
}

/// <summary>Tells that links, addresses, routes, rules or nf_tables changed, so that drift is noticed at once. Says nothing of what changed: whoever cares re-reads.</summary>
public static class KernelChanges
{
    const int RouteProtocol = 0, NetfilterProtocol = 12;
    static readonly TimeSpan Step = TimeSpan.FromMilliseconds(200);

    // RTNLGRP_* of linux/rtnetlink.h and NFNLGRP_NFTABLES of linux/netfilter/nfnetlink_compat.h
    static readonly (int Protocol, int Group, KernelChange Change)[] Groups =
    [
        (RouteProtocol, 1, KernelChange.Link),
        (RouteProtocol, 5, KernelChange.Address),
        (RouteProtocol, 9, KernelChange.Address),
        (RouteProtocol, 7, KernelChange.Route),
        (RouteProtocol, 11, KernelChange.Route),
        (RouteProtocol, 8, KernelChange.Rule),
        (RouteProtocol, 19, KernelChange.Rule),
        (NetfilterProtocol, 7, KernelChange.Firewall),
    ];

    /// <summary>An endless stream: each item joins what changed since the last one was taken. Bursts become one item, and lost notifications count as one.</summary>
    /// <exception cref="NetlinkException">The kernel refused to tell.</exception>
    public static async IAsyncEnumerable<KernelChange> WatchAsync(KernelChange wanted, string? namespacePath = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var channel = Channel.CreateUnbounded<KernelChange>();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var threads = Groups.Where(g => wanted.HasFlag(g.Change)).GroupBy(g => g.Change).Select(g => Start(Open(g, namespacePath), g.Key, channel.Writer, stop.Token)).ToList();
        try
        {
            while (await channel.Reader.WaitToReadAsync(cancellationToken))
            {
                var changes = KernelChange.None;
                while (channel.Reader.TryRead(out var change))
                {
                    changes |= change;
                }

                yield return changes;
            }
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(threads);
        }
    }

    static NetlinkSocket Open(IEnumerable<(int Protocol, int Group, KernelChange Change)> groups, string? namespacePath)
    {
        var list = groups.ToList();
        var socket = namespacePath is null ? NetlinkSocket.Open(list[0].Protocol) : NetlinkSocket.Open(list[0].Protocol, namespacePath);
        foreach (var group in list)
        {
            socket.Join(group.Group);
        }

        return socket;
    }

    // Waiting on such a descriptor blocks: a thread of its own, that looks now and then whether it should end.
    static Task Start(NetlinkSocket socket, KernelChange change, ChannelWriter<KernelChange> changes, CancellationToken stop) => Task.Factory.StartNew(() =>
    {
        using (socket)
        {
            try
            {
                while (!stop.IsCancellationRequested)
                {
                    if (socket.WaitForNotification(Step))
                    {
                        socket.Drain();
                        changes.TryWrite(change);
                    }
                }
            }
            catch (NetlinkException e)
            {
                changes.TryComplete(e);
            }
        }
    }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
