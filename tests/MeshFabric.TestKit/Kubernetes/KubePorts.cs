using System.Net;
using System.Net.Sockets;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>TCP ports that the servers of one cluster keep.</summary>
sealed record KubePorts(int Api, int Etcd, int EtcdPeer, int Controllers)
{
    public static KubePorts Take(int api)
    {
        // All are held at once, so that no two are the same.
        var listeners = Enumerable.Range(0, 4).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(l => l.Start());
        var free = listeners.ConvertAll(l => ((IPEndPoint)l.LocalEndpoint).Port);
        listeners.ForEach(l => l.Dispose());
        return new KubePorts(api > 0 ? api : free[0], free[1], free[2], free[3]);
    }
}
