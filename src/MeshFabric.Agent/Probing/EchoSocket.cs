using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace MeshFabric.Agent.Probing;

/// <summary>Asks by ICMP echo (RFC 792) out of one device, whatever the routes say.</summary>
public sealed class EchoSocket : IDisposable
{
    static readonly TimeSpan Stall = TimeSpan.FromMilliseconds(20);

    readonly IcmpSocket _socket;
    readonly IcmpSocket? _answers;
    readonly TimeProvider _time;
    readonly Func<byte[], EchoVerdict> _judge;
    readonly ushort _identifier = (ushort)Random.Shared.Next(1, ushort.MaxValue);
    readonly ConcurrentDictionary<(IPAddress, ushort), TaskCompletionSource<bool>> _waiting = new();
    int _sequence;

    /// <param name="judge">What an answer with this payload says; null: every answer is one.</param>
    /// <param name="byAnyWay">Answers may come by another device: whoever is asked has several ways back, and chooses.</param>
    /// <exception cref="SocketException">The device or the address is not there.</exception>
    public EchoSocket(string device, IPAddress source, TimeProvider time, Func<byte[], EchoVerdict>? judge = null, bool byAnyWay = false)
    {
        _time = time;
        _judge = judge ?? (_ => EchoVerdict.Yes);
        _socket = new IcmpSocket(device, source, time);
        _answers = byAnyWay ? new IcmpSocket(null, source, time) : null;
        _ = (_answers ?? _socket).ReceiveAsync(Take);
    }

    /// <summary>The round trip; null when no answer came in time, one that says no, or nothing could be sent.</summary>
    public async Task<TimeSpan?> EchoAsync(IPAddress to, byte[] payload, TimeSpan limit, CancellationToken cancellationToken)
    {
        var sequence = (ushort)Interlocked.Increment(ref _sequence);
        var answered = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[(to, sequence)] = answered;
        var started = _time.GetTimestamp();
        try
        {
            await _socket.SendAsync(IcmpPacket.Echo(IcmpPacket.EchoRequest, _identifier, sequence, payload), to, cancellationToken);
            return await answered.Task.WaitAsync(limit, _time, cancellationToken) ? _time.GetElapsedTime(started) : null;
        }
        catch (TimeoutException) when (_time.GetElapsedTime(started) > limit + Stall)
        {
            // It was this process that stood still: what came in meanwhile is read now, and says that the path is good.
            await Task.WhenAny(answered.Task, Task.Delay(Stall, _time, cancellationToken));
            return answered.Task is { IsCompletedSuccessfully: true, Result: true } ? limit : null;
        }
        catch (Exception e) when (e is TimeoutException or SocketException or ObjectDisposedException)
        {
            return null;
        }
        finally
        {
            _waiting.TryRemove((to, sequence), out _);
        }
    }

    public void Dispose()
    {
        _socket.Dispose();
        _answers?.Dispose();
    }

    void Take(byte[] buffer, int length, IPAddress from)
    {
        if (IcmpPacket.TryRead(buffer.AsSpan(0, length), IcmpPacket.EchoReply, out var identifier, out var sequence, out var payload) && identifier == _identifier
            && _waiting.TryGetValue((from, sequence), out var waiting) && _judge(payload.ToArray()) is var verdict and not EchoVerdict.Ignored)
        {
            waiting.TrySetResult(verdict == EchoVerdict.Yes);
        }
    }
}
