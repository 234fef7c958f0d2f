using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshFabric.Agent.Tunnels;

/// <summary>ICMP echo (RFC 792) out of one device, whatever the routes say.</summary>
public sealed class EchoSocket : IDisposable
{
    const int SolSocket = 1;
    const int SoBindToDevice = 25;
    const int HeaderBytes = 8;

    readonly Socket _socket;
    readonly TimeProvider _time;
    readonly ushort _identifier = (ushort)Random.Shared.Next(1, ushort.MaxValue);
    readonly ConcurrentDictionary<(IPAddress, ushort), TaskCompletionSource> _waiting = new();
    int _sequence;

    public EchoSocket(string device, IPAddress source, TimeProvider time)
    {
        _time = time;
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
        _socket.SetRawSocketOption(SolSocket, SoBindToDevice, Encoding.ASCII.GetBytes(device + "\0"));
        _socket.Bind(new IPEndPoint(source, 0));
        _ = ReceiveAsync();
    }

    /// <summary>The round trip; null when no answer came in time or nothing could be sent.</summary>
    public async Task<TimeSpan?> EchoAsync(IPAddress to, int payloadBytes, TimeSpan limit, CancellationToken cancellationToken)
    {
        var sequence = (ushort)Interlocked.Increment(ref _sequence);
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[(to, sequence)] = answered;
        try
        {
            var started = _time.GetTimestamp();
            await _socket.SendToAsync(Request(sequence, payloadBytes), SocketFlags.None, new IPEndPoint(to, 0), cancellationToken);
            await answered.Task.WaitAsync(limit, _time, cancellationToken);
            return _time.GetElapsedTime(started);
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

    public void Dispose() => _socket.Dispose();

    // u8 type 8, u8 code 0, u16 checksum, u16 identifier, u16 sequence, payload
    byte[] Request(ushort sequence, int payloadBytes)
    {
        var packet = new byte[HeaderBytes + payloadBytes];
        packet[0] = 8;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), _identifier);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), sequence);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), Checksum(packet));
        return packet;
    }

    async Task ReceiveAsync()
    {
        var buffer = new byte[65536];
        EndPoint any = new IPEndPoint(IPAddress.Any, 0);
        while (true)
        {
            try
            {
                var received = await _socket.ReceiveFromAsync(buffer, SocketFlags.None, any);
                Answer(buffer.AsSpan(0, received.ReceivedBytes), ((IPEndPoint)received.RemoteEndPoint).Address);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.OperationAborted or SocketError.Interrupted)
            {
                return;
            }
            catch (SocketException)
            {
                // The device went down; sends fail too and are counted as lost.
                await Task.Delay(TimeSpan.FromMilliseconds(200), _time);
            }
        }
    }

    void Answer(ReadOnlySpan<byte> packet, IPAddress from)
    {
        var header = packet.Length > 0 ? (packet[0] & 15) * 4 : 0;
        if (header < 20 || packet.Length < header + HeaderBytes)
        {
            return;
        }

        var icmp = packet[header..];
        if (icmp[0] == 0 && BinaryPrimitives.ReadUInt16BigEndian(icmp[4..]) == _identifier
            && _waiting.TryGetValue((from, BinaryPrimitives.ReadUInt16BigEndian(icmp[6..])), out var waiting))
        {
            waiting.TrySetResult();
        }
    }

    static ushort Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (var i = 0; i + 1 < bytes.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes[i..]);
        }

        sum += (bytes.Length & 1) == 1 ? (uint)bytes[^1] << 8 : 0;
        while (sum >> 16 != 0)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (ushort)~sum;
    }
}
