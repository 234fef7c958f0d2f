using System.Text.Json;
using k8s;
using k8s.Models;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>Reads what the API shows of the CNI plug-in. Asks only for the objects of plug-ins whose DaemonSet is there.</summary>
sealed class CniSettingsReader(IKubernetes client)
{
    const int PodLimit = 250;
    const int ObjectLimit = 5000;
    const string OperatorGroup = "operator.tigera.io";

    static readonly (string App, string ConfigMap)[] ConfigMaps =
    [
        ("canal", "canal-config"), ("calico-node", "calico-config"), ("cilium", "cilium-config"), ("flannel", "kube-flannel-cfg"),
    ];

    public async Task<CniSettings> ReadAsync(PermittedReads reads, CancellationToken cancellationToken)
    {
        var sets = await reads.TryAsync("list DaemonSets of all namespaces", RbacRule.DaemonSets, () => client.AppsV1.ListDaemonSetForAllNamespacesAsync(cancellationToken: cancellationToken));
        // The pods of kube-system do for the check of addresses; others are better.
        var pods = await reads.TryAsync("list pods of all namespaces", null, () => client.CoreV1.ListPodForAllNamespacesAsync(fieldSelector: "status.phase=Running", limit: PodLimit, cancellationToken: cancellationToken));
        IReadOnlyList<V1DaemonSet> found = sets?.Items.ToList() ?? [];
        return new CniSettings
        {
            DaemonSets = found,
            ConfigMaps = await ConfigMapsAsync(reads, found, cancellationToken),
            SomePods = pods?.Items.ToList() ?? [],
            Calico = found.Any(d => d.IsApp("calico-node") || d.IsApp("canal")) ? await CalicoAsync(reads, cancellationToken) : new CalicoObjects(),
        };
    }

    async Task<IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>> ConfigMapsAsync(PermittedReads reads, IReadOnlyList<V1DaemonSet> sets, CancellationToken cancellationToken)
    {
        var maps = new Dictionary<string, IReadOnlyDictionary<string, string>>();
        foreach (var (app, name) in ConfigMaps)
        {
            if (sets.FirstOrDefault(d => d.IsApp(app)) is not { } set)
            {
                continue;
            }

            var space = set.Metadata.NamespaceProperty;
            var map = await reads.TryAsync($"get ConfigMap {space}/{name}", RbacRule.CniConfigMaps, () => client.CoreV1.ReadNamespacedConfigMapAsync(name, space, cancellationToken: cancellationToken));
            if (map?.Data is { } data)
            {
                maps[name] = data.ToDictionary();
            }
        }

        return maps;
    }

    async Task<CalicoObjects> CalicoAsync(PermittedReads reads, CancellationToken cancellationToken) => new()
    {
        Pools = await ListAsync(reads, CalicoPools.Plural, RbacRule.CalicoPools, cancellationToken),
        BlockAffinities = await ListAsync(reads, "blockaffinities", RbacRule.CalicoBlocks, cancellationToken),
        Felix = await GetAsync(reads, CalicoPools.Group, "felixconfigurations", RbacRule.CalicoFelix, cancellationToken),
        Installation = await GetAsync(reads, OperatorGroup, "installations", RbacRule.CalicoInstallation, cancellationToken),
    };

    async Task<IReadOnlyList<JsonElement>> ListAsync(PermittedReads reads, string plural, RbacRule rule, CancellationToken cancellationToken)
    {
        var list = await reads.TryAsync($"list {plural} of {CalicoPools.Group}", rule, () => client.CustomObjects.ListClusterCustomObjectAsync(CalicoPools.Group, CalicoPools.Version, plural, limit: ObjectLimit, cancellationToken: cancellationToken));
        return list is JsonElement json && json.TryGetProperty("items", out var items) ? [.. items.EnumerateArray()] : [];
    }

    async Task<JsonElement?> GetAsync(PermittedReads reads, string group, string plural, RbacRule rule, CancellationToken cancellationToken) =>
        await reads.TryAsync($"get the default of {plural} of {group}", rule, () => client.CustomObjects.GetClusterCustomObjectAsync(group, "v1", plural, "default", cancellationToken)) as JsonElement?;
}
