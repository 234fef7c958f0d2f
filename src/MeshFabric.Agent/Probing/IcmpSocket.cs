using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MeshFabric.Agent.Probing;

/// <summary>A raw ICMP socket (raw(7)) of one address, and usually of one device: its packets leave and come by that, whatever the routes say.</summary>
sealed class IcmpSocket : IDisposable
{
    const int SolSocket = 1;
    const int SoBindToDevice = 25;
    const int IpProto = 0;
    const int IpMtuDiscover = 10;
    const int PmtuDiscoverProbe = 3;

    readonly Socket _socket;
    readonly TimeProvider _time;

    /// <param name="device">Null: any.</param>
    /// <exception cref="SocketException">The device or the address is not there.</exception>
    public IcmpSocket(string? device, IPAddress address, TimeProvider time)
    {
        _time = time;
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
        try
        {
            if (device is not null)
            {
                _socket.SetRawSocketOption(SolSocket, SoBindToDevice, Encoding.ASCII.GetBytes(device + "\0"));
            }

            // ip(7): never in pieces, and as large as the device allows, whatever is known of the path.
            _socket.SetRawSocketOption(IpProto, IpMtuDiscover, BitConverter.GetBytes(PmtuDiscoverProbe));
            _socket.Bind(new IPEndPoint(address, 0));
        }
        catch
        {
            _socket.Dispose();
            throw;
        }
    }

    public ValueTask<int> SendAsync(byte[] packet, IPAddress to, CancellationToken cancellationToken) => _socket.SendToAsync(packet, SocketFlags.None, new IPEndPoint(to, 0), cancellationToken);

    /// <summary>Takes every packet, from the header of IPv4 on, until disposed.</summary>
    public Task ReceiveAsync(Action<byte[], int, IPAddress> take) => _socket.ReceiveAllAsync(_time, take);

    public void Dispose() => _socket.Dispose();
}
