using k8s;
using k8s.Models;
using MeshFabric.Lab.Kubelets;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

/// <summary>NetworkPolicy objects of a joined cluster, enforced by the stand-in for an engine.</summary>
sealed class PolicyOfPods(JoinedClusters joined, string space)
{
    const string Name = "judged";

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    KubeCluster Borealis => joined.Borealis;

    /// <summary>All pods of the namespace are judged by this alone from now on.</summary>
    /// <param name="peers">Who is let in, or whom they may ask.</param>
    public async Task SetAsync(string direction, params V1NetworkPolicyPeer[] peers)
    {
        await ClearAsync();
        var spec = new V1NetworkPolicySpec { PodSelector = new V1LabelSelector(), PolicyTypes = [direction] };
        if (peers.Length > 0 && direction == "Ingress")
        {
            spec.Ingress = [new V1NetworkPolicyIngressRule { FromProperty = peers }];
        }
        else if (peers.Length > 0)
        {
            spec.Egress = [new V1NetworkPolicyEgressRule { To = peers }];
        }

        await Borealis.Client.NetworkingV1.CreateNamespacedNetworkPolicyAsync(new V1NetworkPolicy { Metadata = new V1ObjectMeta { Name = Name }, Spec = spec }, space, cancellationToken: Cancellation);
        await NetworkPolicies.EnforceAsync(joined.Mesh.Lab, Borealis, Cancellation);
    }

    public async Task ClearAsync()
    {
        await Borealis.Client.NetworkingV1.DeleteCollectionNamespacedNetworkPolicyAsync(space, cancellationToken: Cancellation);
        await NetworkPolicies.EnforceAsync(joined.Mesh.Lab, Borealis, Cancellation);
    }

    /// <summary>Waits until the product says that the cluster has such an engine, or none.</summary>
    public Task EngineAsync(string name) => Until.TrueAsync(
        async () => (await joined.Mesh.MfctlAsync(Cancellation, "cluster", "get", "borealis", "-o", "json")).Contains($"\"{name}\"", StringComparison.Ordinal),
        OneCluster.Limit, $"{name} to be recognised", Cancellation);

    /// <summary>Once, by <c>kubectl exec</c>: an answer within two seconds.</summary>
    public static async Task<bool> AnswersAsync(KubeCluster cluster, V1Pod from, string address) =>
        (await cluster.ExecAsync(from, EchoWorkload.Neighbour, ["mfecho", "get", $"http://{address}:8080/", "2"], Cancellation)).ExitCode == 0;
}
