using System.Net;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>How a <see cref="PrivateKubeApi"/> is started.</summary>
/// <param name="Directory">Its own: certificates, etcd's data, logs, kubeconfig.</param>
public sealed record PrivateKubeApiOptions(string Directory)
{
    /// <summary>The API server listens here; etcd and the controller manager only on the loopback.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>0: a free one is taken at the first start and kept.</summary>
    public int Port { get; init; }

    /// <summary>With <see cref="DualStack"/> one of each family, separated by a comma; the API itself is of the first one.</summary>
    public string ServiceCidr { get; init; } = "10.96.0.0/16";

    /// <summary>Nodes and pods may have addresses of both families.</summary>
    public bool DualStack { get; init; }

    /// <summary>When set, a controller manager runs too and gives every node a /24 (or /64) out of it.</summary>
    public string? PodCidr { get; init; }

    /// <summary>Machines that will run a kubelet. When there are any, the API server is set up for them as kubeadm would, every controller runs, and so does the scheduler; needs <see cref="PodCidr"/>.</summary>
    public IReadOnlyList<Kubelet> Kubelets { get; init; } = [];

    /// <summary>Put before every command, such as <c>ip netns exec NAME</c>.</summary>
    public IReadOnlyList<string> CommandPrefix { get; init; } = [];

    /// <summary>The machine is shared and slow; an API server on an idle core is ready within 5 seconds.</summary>
    public TimeSpan StartLimit { get; init; } = TimeSpan.FromMinutes(3);
}

/// <summary>A machine that runs a kubelet.</summary>
/// <param name="Name">Of its Node object.</param>
/// <param name="Address">The API server reaches its kubelet there.</param>
public sealed record Kubelet(string Name, IPAddress Address);
