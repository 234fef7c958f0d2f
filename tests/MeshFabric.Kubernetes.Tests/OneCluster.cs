using System.Globalization;
using MeshFabric.Lab;
using MeshFabric.Lab.Kubelets;
using Xunit.Sdk;
using Xunit.v3;

// One lab after the other: each of them keeps a small machine busy.
[assembly: Parallelization(Mode = ParallelMode.None)]

namespace MeshFabric.Kubernetes.Tests;

/// <summary>A cluster of two nodes, started once and shared; every test uses a namespace of its own.</summary>
public sealed class OneCluster : IAsyncLifetime
{
    public const string Name = "one cluster";

    [CollectionDefinition(Name)]
    public sealed class Shared : ICollectionFixture<OneCluster>;

    /// <summary>A loaded machine gets three times what an idle one needs.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    static readonly LabSpec Spec = new(LabSpec.NameOfThisRun("kube"), [ClusterSpec.OfKubelets("aurora", "10.10.0.0/16") with { Provider = "aws", Region = "eu-west-1" }]);

    public MeshFabric.Lab.Lab Lab { get; private set; } = null!;

    public KubeCluster Cluster { get; private set; } = null!;

    /// <summary>From nothing to the last node ready.</summary>
    public TimeSpan Start { get; private set; }

    public async ValueTask InitializeAsync()
    {
        var started = TimeProvider.System.GetTimestamp();
        Lab = await MeshFabric.Lab.Lab.CreateAsync(Spec, null, CancellationToken.None);
        Cluster = await KubeCluster.StartAsync(Lab, "aurora", [KubeImages.Agent(Path.Combine(Repository.Root, "out"))], CancellationToken.None);
        Start = TimeProvider.System.GetElapsedTime(started);
        await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"2 nodes ready after {Start.TotalSeconds:0.0} s"));
    }

    public async ValueTask DisposeAsync()
    {
        if (Cluster is not null)
        {
            await Cluster.DisposeAsync();
        }

        if (Lab is not null)
        {
            KeptLogs.Of(Lab, Repository.Root, "kubernetes");
            await Lab.DisposeAsync();
        }
    }
}
