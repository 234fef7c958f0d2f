using System.Globalization;
using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>
/// The mesh in Calico's list of pools: one disabled IPPool per prefix. No pod gets an address of it; Calico takes it for a destination that is not
/// masqueraded, which is the only way to tell its eBPF data path, and BIRD does not export it.
/// </summary>
/// <remarks>Written straight to the CRD group, so that no Calico API server is needed (Calico: libcalico-go/lib/apis/crd.projectcalico.org/v1).</remarks>
static class CalicoPools
{
    public const string Group = "crd.projectcalico.org";
    public const string Version = "v1";
    public const string Plural = "ippools";

    // Calico's limits for the size of a block (IPPool.spec.blockSize), prefix lengths; a pool is at least one block.
    const int SmallestBlock4 = 26;
    const int SmallestBlock6 = 122;

    /// <summary>Makes the mesh's pools what they must be, and touches no other. Nothing where the API knows no IPPools.</summary>
    /// <param name="mesh">Prefixes of other clusters as this one sees them; none: all of our pools go.</param>
    /// <exception cref="HttpOperationException">The API refused.</exception>
    public static async Task ApplyAsync(IKubernetes client, IEnumerable<Cidr> mesh, CancellationToken cancellationToken)
    {
        JsonElement list;
        try
        {
            list = (JsonElement)await client.CustomObjects.ListClusterCustomObjectAsync(Group, Version, Plural, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return;
        }

        var (create, delete) = Plan([.. list.GetProperty("items").EnumerateArray()], mesh);
        foreach (var name in delete)
        {
            await IgnoringAsync(HttpStatusCode.NotFound, () => client.CustomObjects.DeleteClusterCustomObjectAsync(Group, Version, Plural, name, cancellationToken: cancellationToken));
        }

        foreach (var cidr in create)
        {
            await IgnoringAsync(HttpStatusCode.Conflict, () => client.CustomObjects.CreateClusterCustomObjectAsync(Pool(cidr), Group, Version, Plural, cancellationToken: cancellationToken));
        }
    }

    /// <summary>What is to be made and, by name, deleted. A pool's CIDR cannot be changed, and one of ours that somebody changed is made anew. Pure.</summary>
    /// <param name="present">All IPPools.</param>
    public static (ValueList<Cidr> Create, ValueList<string> Delete) Plan(IReadOnlyList<JsonElement> present, IEnumerable<Cidr> mesh)
    {
        var byOwner = present.ToLookup(CalicoReading.IsOurs);
        var foreign = byOwner[false].SelectMany(p => ClusterCidrs.ParseList(CalicoReading.Text(p, "spec", "cidr"))).ToList();
        // What an administrator's own pool covers is known to Calico already.
        var missing = mesh.Distinct().Where(m => !foreign.Exists(f => f.Contains(m))).ToDictionary(NameOf);
        var delete = new List<string>();
        foreach (var pool in byOwner[true])
        {
            var name = CalicoReading.Text(pool, "metadata", "name");
            if (missing.TryGetValue(name, out var cidr) && IsPoolOf(pool, cidr))
            {
                missing.Remove(name);
            }
            else
            {
                delete.Add(name);
            }
        }

        return (missing.Values.Order().ToValueList(), delete.Order(StringComparer.Ordinal).ToValueList());
    }

    /// <summary>IPv4 as it is written, IPv6 in all its 32 hexadecimal digits: what is shortened is not unique once its colons are gone.</summary>
    public static string NameOf(Cidr cidr) =>
        string.Create(CultureInfo.InvariantCulture, $"meshfabric-{(cidr.IsIPv4 ? cidr.Address.ToString().Replace('.', '-') : Convert.ToHexStringLower(cidr.Address.GetAddressBytes()))}-{cidr.Length}");

    static bool IsPoolOf(JsonElement pool, Cidr cidr) =>
        CalicoReading.Text(pool, "spec", "cidr") == cidr.ToString()
        && CalicoReading.Flag(pool, "spec", "disabled") && CalicoReading.Flag(pool, "spec", "disableBGPExport") && !CalicoReading.Flag(pool, "spec", "natOutgoing");

    static object Pool(Cidr cidr) => new
    {
        apiVersion = $"{Group}/{Version}",
        kind = "IPPool",
        metadata = new { name = NameOf(cidr), labels = new Dictionary<string, string> { [CalicoReading.ManagedBy] = CalicoReading.Us } },
        spec = new
        {
            cidr = cidr.ToString(),
            blockSize = Math.Max(cidr.IsIPv4 ? SmallestBlock4 : SmallestBlock6, cidr.Length),
            disabled = true,
            natOutgoing = false,
            disableBGPExport = true,
            ipipMode = "Never",
            vxlanMode = "Never",
            nodeSelector = "all()",
        },
    };

    static async Task IgnoringAsync(HttpStatusCode status, Func<Task> request)
    {
        try
        {
            await request();
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == status)
        {
            // Somebody else was first.
        }
    }
}
