using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Traffic;

/// <summary>Requests from one host of the lab to pods' servers.</summary>
public static class PodClient
{
    /// <summary>The source address that the pod at <paramref name="address"/> saw; null when it could not be reached in time.</summary>
    public static async Task<IPAddress?> SeenAsAsync(LabHost from, IPAddress address, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, token) =>
            {
                var socket = NamespaceSocket.Open(from, address.AddressFamily, SocketType.Stream);
                try
                {
                    await socket.ConnectAsync(new IPEndPoint(address, PodServers.HttpPort), token);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        using var client = new HttpClient(handler);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        try
        {
            return IPAddress.Parse((await client.GetStringAsync(new Uri("http://pod/"), timeout.Token)).Trim());
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }
    }

    /// <summary>As <see cref="SeenAsAsync"/>, by UDP from a new socket; asks again every second, as TCP does.</summary>
    public static Task<IPAddress?> SeenByUdpAsync(LabHost from, IPAddress address, TimeSpan limit, CancellationToken cancellationToken) =>
        SeenByUdpAsync(from, address, PodServers.HttpPort, attempt => Encoding.ASCII.GetBytes(attempt.ToString(CultureInfo.InvariantCulture)), limit, cancellationToken);

    /// <summary>As <see cref="SeenByUdpAsync(LabHost, IPAddress, TimeSpan, CancellationToken)"/>, of a pod of a container image (mfecho).</summary>
    public static Task<IPAddress?> SeenByContainerAsync(LabHost from, IPAddress address, TimeSpan limit, CancellationToken cancellationToken) =>
        SeenByUdpAsync(from, address, PodServers.EchoPort, _ => "?"u8.ToArray(), limit, cancellationToken);

    /// <summary>Asks several addresses by UDP from one port, one after the other.</summary>
    /// <returns>Who answered each; null for nobody in time.</returns>
    public static async Task<IReadOnlyList<IPAddress?>> AnsweredByAsync(LabHost from, IReadOnlyList<IPAddress> addresses, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var socket = NamespaceSocket.Open(from, addresses[0].AddressFamily, SocketType.Dgram);
        var any = addresses[0].AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;
        socket.Bind(new IPEndPoint(any, 0));
        var answers = new List<IPAddress?>();
        foreach (var address in addresses)
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(limit);
            try
            {
                await socket.SendToAsync(new byte[] { 1 }, new IPEndPoint(address, PodServers.HttpPort), timeout.Token);
                answers.Add(((IPEndPoint)(await socket.ReceiveFromAsync(new byte[64], new IPEndPoint(any, 0), timeout.Token)).RemoteEndPoint).Address);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                cancellationToken.ThrowIfCancellationRequested();
                answers.Add(null);
            }
        }

        return answers;
    }

    // Each attempt says something else, and so is answered by something else: of IPv6 wireguard-go loses whatever has a checksum of 0 (docs/wireguard.md), as often as it is sent.
    static async Task<IPAddress?> SeenByUdpAsync(LabHost from, IPAddress address, int port, Func<int, byte[]> question, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var socket = NamespaceSocket.Open(from, address.AddressFamily, SocketType.Dgram);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        var answer = new byte[64];
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address, port), timeout.Token);
            var answered = socket.ReceiveAsync(answer, timeout.Token).AsTask();
            var attempt = 0;
            do
            {
                await socket.SendAsync(question(++attempt), timeout.Token);
            }
            while (await Task.WhenAny(answered, Task.Delay(TimeSpan.FromSeconds(1), timeout.Token)) != answered);
            return IPAddress.Parse(Encoding.ASCII.GetString(answer, 0, await answered).Split(' ')[0]);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }
    }

    /// <summary>One datagram that is not to be fragmented, to a pod's UDP echo.</summary>
    /// <param name="bytes">Of what it carries.</param>
    public static async Task<EchoAnswer> EchoedAsync(LabHost from, IPAddress address, int bytes, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var socket = NamespaceSocket.Open(from, address.AddressFamily, SocketType.Dgram);
        socket.DontFragment = true;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address, PodServers.EchoPort), timeout.Token);
            await socket.SendAsync(new byte[bytes], timeout.Token);
            return await socket.ReceiveAsync(new byte[bytes], timeout.Token) == bytes ? EchoAnswer.Echoed : EchoAnswer.None;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.MessageSize)
        {
            return EchoAnswer.TooLarge;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return EchoAnswer.None;
        }
    }
}

/// <summary>What becomes of a datagram.</summary>
public enum EchoAnswer
{
    None,
    Echoed,
    TooLarge,
}
