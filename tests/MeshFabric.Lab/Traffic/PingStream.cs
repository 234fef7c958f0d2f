using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Traffic;

/// <summary>What a <see cref="PingStream"/> counted.</summary>
/// <param name="LongestGap">Between two answers, as they came.</param>
/// <param name="Losses">The unanswered ones, in the order of their numbers.</param>
public sealed record PingReport(int Sent, int Answered, int Duplicates, TimeSpan LongestGap, IReadOnlyList<PingLoss> Losses)
{
    public int Lost => Sent - Answered;

    /// <summary>For a test's message: how many, and when they were sent.</summary>
    public string Told => $"{Lost} of {Sent} lost, the longest gap {LongestGap.TotalSeconds:0.000} s: {string.Join(", ", Losses)}";
}

/// <summary>Packets in a row that were not answered.</summary>
/// <param name="First">The number of the first of them.</param>
/// <param name="SentAt">Since the stream began.</param>
/// <param name="Over">From the first to the last one; far less than their rate says where a late sender made up for it.</param>
public sealed record PingLoss(int First, int Count, TimeSpan SentAt, TimeSpan Over)
{
    public override string ToString() => $"{Count} from {First} (at {SentAt.TotalSeconds:0.000} s, over {Over.TotalSeconds:0.000} s)";
}

/// <summary>Asks a pod's UDP echo at a steady rate and counts every answer by its number.</summary>
public sealed class PingStream : IAsyncDisposable
{
    const int MostAtOnce = 100;

    readonly CancellationTokenSource _stop = new();
    readonly CancellationTokenSource _end = new();
    readonly Socket _socket;
    readonly HashSet<long> _answered = [];
    readonly List<TimeSpan> _sentAt = [];
    readonly Task _sending;
    readonly Task _receiving;
    int _sent;
    int _duplicates;
    TimeSpan _longestGap;

    PingStream(Socket socket, TimeSpan interval)
    {
        _socket = socket;
        _receiving = ReceiveAsync();
        _sending = SendAsync(interval);
    }

    /// <param name="rate">Packets a second.</param>
    public static PingStream Start(LabHost from, IPAddress to, int rate = 100)
    {
        var socket = NamespaceSocket.Open(from, to.AddressFamily, SocketType.Dgram);
        socket.ReceiveBufferSize = PodServers.ReceiveBuffer;
        socket.Connect(new IPEndPoint(to, PodServers.EchoPort));
        return new PingStream(socket, TimeSpan.FromSeconds(1.0 / rate));
    }

    /// <summary>Stops asking, waits for the last answers and tells what was counted.</summary>
    public async Task<PingReport> StopAsync()
    {
        await _stop.CancelAsync();
        await _sending;
        for (var i = 0; i < 100 && Answered < _sent; i++)
        {
            await Task.Delay(20);
        }

        await _end.CancelAsync();
        await _receiving;
        return new PingReport(_sent, Answered, _duplicates, _longestGap, Losses());
    }

    List<PingLoss> Losses()
    {
        var losses = new List<PingLoss>();
        for (var i = 0; i < _sent; i++)
        {
            var first = i;
            while (i < _sent && !_answered.Contains(i))
            {
                i++;
            }

            if (i > first)
            {
                losses.Add(new PingLoss(first, i - first, _sentAt[first], _sentAt[i - 1] - _sentAt[first]));
            }
        }

        return losses;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _socket.Dispose();
        _stop.Dispose();
        _end.Dispose();
    }

    /// <summary>Asked so far.</summary>
    public int Sent => Volatile.Read(ref _sent);

    /// <summary>Answered so far, repeats counted once.</summary>
    public int Answered
    {
        get
        {
            lock (_answered)
            {
                return _answered.Count;
            }
        }
    }

    async Task SendAsync(TimeSpan interval)
    {
        var started = TimeProvider.System.GetTimestamp();
        var skipped = TimeSpan.Zero;
        var packet = new byte[64];
        while (!_stop.IsCancellationRequested)
        {
            _sentAt.Add(TimeProvider.System.GetElapsedTime(started));
            BinaryPrimitives.WriteInt64BigEndian(packet, _sent++);
            try
            {
                await _socket.SendAsync(packet, CancellationToken.None);
            }
            catch (SocketException)
            {
                // Refused or unreachable, told by the network: it stays unanswered and is counted as lost.
            }

            // By the clock, not from one to the next: a late timer is made up for.
            var wait = (interval * _sent) + skipped - TimeProvider.System.GetElapsedTime(started);
            if (-wait > interval * MostAtOnce)
            {
                // A machine that stood still must not turn a steady stream into a flood that no queue holds.
                skipped -= wait;
            }

            if (wait > TimeSpan.Zero)
            {
                await Task.Delay(wait, _stop.Token).ContinueWith(_ => { }, TaskScheduler.Default);
            }
        }
    }

    async Task ReceiveAsync()
    {
        var buffer = new byte[64];
        var last = TimeProvider.System.GetTimestamp();
        while (!_end.IsCancellationRequested)
        {
            try
            {
                await _socket.ReceiveAsync(buffer, _end.Token);
            }
            catch (SocketException)
            {
                continue;
            }
            catch (OperationCanceledException)
            {
                return;
            }

            var gap = TimeProvider.System.GetElapsedTime(last);
            last = TimeProvider.System.GetTimestamp();
            _longestGap = gap > _longestGap ? gap : _longestGap;
            lock (_answered)
            {
                _duplicates += _answered.Add(BinaryPrimitives.ReadInt64BigEndian(buffer)) ? 0 : 1;
            }
        }
    }
}
