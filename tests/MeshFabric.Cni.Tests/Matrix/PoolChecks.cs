using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Calico is told of the mesh by disabled pools, which its own masquerading spares.</summary>
static class PoolChecks
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The pools are there; and with our exemption gone they alone keep what pods send from being hidden, once Felix has taken them into its set, as it does with every pool.</summary>
    public static async Task MeshIsInPoolsAsync(Row row)
    {
        if (await OfMeshAsync(row) is not { } present)
        {
            throw new NotAskedException("no Calico");
        }

        await Until.TrueAsync(async () => (present = await OfMeshAsync(row) ?? []).ContainsKey($"{row.FarPrefix}"), Row.Heal, () => $"a pool of {row.FarPrefix}; there are {string.Join(", ", present.Keys)}", Cancellation);
        Assert.All(present.Values, p => Assert.True(
            p.GetProperty("disabled").GetBoolean() && p.GetProperty("disableBGPExport").GetBoolean() && !p.GetProperty("natOutgoing").GetBoolean(), p.ToString()));
        if (row.Plugin == "canal" || row.IsRemapped)
        {
            // flannel masquerades there, which asks no pool; and without our tables nothing is remapped.
            return;
        }

        await row.WithoutExemptionAsync(async () =>
        {
            await SourceChecks.HiddenAsync(row, row.PodOnWorker, row.FarOnWorker.Address!, row.PodOnWorker.Address!);
            await row.OnNodesAsync(Felix("add", row));
            try
            {
                IPAddress? seen = null;
                await Until.TrueAsync(async () => row.PodOnWorker.Address!.Equals(seen = await SeenAsync(row)), Row.Heal, () => $"the pod to be seen as itself; it is {seen?.ToString() ?? "nobody"}", Cancellation);
            }
            finally
            {
                await row.OnNodesAsync(Felix("delete", row));
            }
        });
        await Row.HealsAsync(row.PodPaths, "the exemption was deleted");
    }

    /// <summary>By CIDR, what our pools say; null where the API knows no IPPools.</summary>
    public static async Task<Dictionary<string, JsonElement>?> OfMeshAsync(Row row)
    {
        try
        {
            var list = (JsonElement)await row.Api.Client.CustomObjects.ListClusterCustomObjectAsync("crd.projectcalico.org", "v1", "ippools", labelSelector: "app.kubernetes.io/managed-by=meshfabric", cancellationToken: Cancellation);
            return list.GetProperty("items").EnumerateArray().Select(p => p.GetProperty("spec")).ToDictionary(s => s.GetProperty("cidr").GetString()!);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    static async Task<IPAddress?> SeenAsync(Row row) => (await Row.SeenAsync(row.PodOnWorker, row.FarOnWorker.Address!, Row.Soon)).Tcp;

    static string Felix(string verb, Row row) => row.Plugin == "calico-nftables"
        ? $"nft {verb} element ip calico cali40all-ipam-pools '{{ {row.FarPrefix} }}'"
        : $"ipset {(verb == "add" ? "add" : "del")} cali40all-ipam-pools {row.FarPrefix}";
}
