using k8s;
using k8s.Models;
using MeshFabric.TestKit;

namespace MeshFabric.Lab.Kubelets;

/// <summary>A Deployment of <see cref="KubeImages.Echo"/>, one pod or more on every node, and a Service of the same name (port 80).</summary>
public static class EchoWorkload
{
    public const string Name = "echo";

    /// <summary>Where <c>mflab up</c> puts it.</summary>
    public const string DemoNamespace = "demo";

    /// <summary>Container that serves, and one beside it that only waits: two containers of one pod.</summary>
    public const string Server = "server", Neighbour = "neighbour";

    // A node that died is given up after a while, and its pods after another, on a machine that may be busy.
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(4);

    /// <summary>Makes a namespace with the workload in it and waits until all its pods are ready.</summary>
    /// <param name="node">Where alone they are to be; null: on every node.</param>
    /// <returns>The pods, by node.</returns>
    public static async Task<IReadOnlyList<V1Pod>> RunAsync(KubeCluster cluster, string inNamespace, int replicas, CancellationToken cancellationToken, string? node = null)
    {
        var client = cluster.Client;
        await client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new V1ObjectMeta { Name = inNamespace } }, cancellationToken: cancellationToken);
        await client.CoreV1.CreateNamespacedServiceAsync(Service(), inNamespace, cancellationToken: cancellationToken);
        await client.AppsV1.CreateNamespacedDeploymentAsync(Deployment(replicas, node), inNamespace, cancellationToken: cancellationToken);
        return await UntilReadyAsync(cluster, inNamespace, replicas, cancellationToken);
    }

    /// <summary>Asks for so many pods and waits until they are ready.</summary>
    public static async Task<IReadOnlyList<V1Pod>> ScaleAsync(KubeCluster cluster, string inNamespace, int replicas, CancellationToken cancellationToken)
    {
        var scale = new V1Patch($$$"""{"spec":{"replicas":{{{replicas}}}}}""", V1Patch.PatchType.MergePatch);
        await cluster.Client.AppsV1.PatchNamespacedDeploymentAsync(scale, Name, inNamespace, cancellationToken: cancellationToken);
        return await UntilReadyAsync(cluster, inNamespace, replicas, cancellationToken);
    }

    /// <summary>Waits until exactly so many pods exist and all are ready.</summary>
    public static async Task<IReadOnlyList<V1Pod>> UntilReadyAsync(KubeCluster cluster, string inNamespace, int replicas, CancellationToken cancellationToken)
    {
        IReadOnlyList<V1Pod> pods = [];
        await Until.TrueAsync(
            async () =>
            {
                pods = await ListAsync(cluster, inNamespace, cancellationToken);
                return pods.Count == replicas && pods.All(IsReady);
            },
            Limit,
            () => $"{replicas} ready pods in {inNamespace}; there are: {string.Join("; ", pods.Select(Told))}\n{cluster.Logs()}",
            cancellationToken);
        return pods;
    }

    /// <summary>Its ready pods, by node.</summary>
    public static async Task<IReadOnlyList<V1Pod>> ReadyAsync(KubeCluster cluster, string inNamespace, CancellationToken cancellationToken) =>
        [.. (await ListAsync(cluster, inNamespace, cancellationToken)).Where(IsReady)];

    static async Task<IReadOnlyList<V1Pod>> ListAsync(KubeCluster cluster, string inNamespace, CancellationToken cancellationToken) =>
    [
        .. (await cluster.Client.CoreV1.ListNamespacedPodAsync(inNamespace, labelSelector: $"app={Name}", cancellationToken: cancellationToken)).Items
            .Where(p => p.Metadata.DeletionTimestamp is null).OrderBy(p => p.Spec.NodeName, StringComparer.Ordinal).ThenBy(p => p.Metadata.Name, StringComparer.Ordinal),
    ];

    static bool IsReady(V1Pod pod) => pod.Status.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true;

    static string Told(V1Pod pod) =>
        $"{pod.Metadata.Name} on {pod.Spec.NodeName}: {pod.Status.Phase} {string.Join(", ", (pod.Status.ContainerStatuses ?? []).Select(c => c.State?.Waiting?.Reason ?? c.State?.Terminated?.Reason ?? (c.Ready ? "ready" : "not ready")))}";

    static V1Service Service() => new()
    {
        Metadata = new V1ObjectMeta { Name = Name },
        Spec = new V1ServiceSpec { Selector = new Dictionary<string, string> { ["app"] = Name }, Ports = [new V1ServicePort { Port = 80, TargetPort = 8080 }] },
    };

    static V1Deployment Deployment(int replicas, string? node)
    {
        var labels = new Dictionary<string, string> { ["app"] = Name };
        return new V1Deployment
        {
            Metadata = new V1ObjectMeta { Name = Name },
            Spec = new V1DeploymentSpec
            {
                Replicas = replicas,
                Selector = new V1LabelSelector { MatchLabels = labels },
                Template = new V1PodTemplateSpec
                {
                    Metadata = new V1ObjectMeta { Labels = labels },
                    Spec = new V1PodSpec
                    {
                        TerminationGracePeriodSeconds = 1,
                        NodeSelector = node is null ? null : new Dictionary<string, string> { ["kubernetes.io/hostname"] = node },
                        TopologySpreadConstraints = [new V1TopologySpreadConstraint { MaxSkew = 1, TopologyKey = "kubernetes.io/hostname", WhenUnsatisfiable = "ScheduleAnyway", LabelSelector = new V1LabelSelector { MatchLabels = labels } }],
                        Containers =
                        [
                            new V1Container
                            {
                                Name = Server,
                                Image = KubeImages.Echo,
                                ImagePullPolicy = "Never",
                                Ports = [new V1ContainerPort { ContainerPort = 8080 }],
                                ReadinessProbe = new V1Probe { HttpGet = new V1HTTPGetAction { Path = "/host", Port = 8080 }, PeriodSeconds = 1 },
                            },
                            new V1Container { Name = Neighbour, Image = KubeImages.Echo, ImagePullPolicy = "Never", Command = ["sleep", "2147483647"] },
                        ],
                    },
                },
            },
        };
    }
}
