using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Control.Pki;
using MeshFabric.Persistence;
using MeshFabric.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Api;

/// <summary>The mesh as a whole, and what anybody may know: the CA certificate and the version.</summary>
public static class MeshApi
{
    const int MaxNamed = 20;

    public static void MapMesh(this IEndpointRouteBuilder api)
    {
        api.MapGet("/mesh", GetAsync).WithName("GetMesh").WithTags("Mesh");
    }

    public static void MapPublic(this IEndpointRouteBuilder root)
    {
        root.MapGet("/ca.pem", (ICertificateAuthority authority) => TypedResults.Text(authority.CertificatePem, "application/x-pem-file"))
            .WithName("GetCertificateAuthority").WithTags("Mesh").WithSummary("Check its SHA-256 against the join token before trusting it");
        root.MapGet("/version", () => new VersionResource(ProductVersion.Current, Contracts.Http.Api.Version)).WithName("GetVersion").WithTags("Mesh");
    }

    static async Task<MeshResource> GetAsync(MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        var totals = await TunnelFigures.TotalsAsync(db, time.GetUtcNow() - Liveness.Limit, cancellationToken);
        var clusters = view.Clusters.Select(view.Show).ToList();
        var gateways = view.Clusters.Sum(c => c.Gateways.Count);
        var heard = view.Clusters.SelectMany(c => c.Gateways).Count(view.Heard);
        var wanted = TunnelPairs.Count(view.Facts, view.Graph);
        List<string> unmet = [.. Unmet(view, clusters, wanted, totals), .. await OldAgents.WarningsAsync(db, view.Facts.Settings, time.GetUtcNow(), cancellationToken)];
        var state = clusters.Count == 0 ? "empty"
            : unmet.Count == 0 ? "ready"
            : totals.Down > 0 || heard < gateways || clusters.Exists(c => c.Status.Findings.Count > 0) ? "degraded"
            : "progressing";
        return new MeshResource(
            state,
            view.Facts.Revision,
            ProductVersion.Current,
            clusters.Count,
            clusters.Count(c => c.Status.State == "connected"),
            gateways,
            heard,
            (int)wanted,
            (int)totals.Connected,
            (int)totals.Down,
            view.Facts.Clusters.SelectMany(c => c.Prefixes).Count(p => p.IsRemapped),
            unmet);
    }

    static IEnumerable<string> Unmet(MeshView view, List<ClusterResource> clusters, long wanted, TunnelFigures.Totals totals)
    {
        foreach (var cluster in clusters.Where(c => c.Status.State == "pending").Take(MaxNamed))
        {
            yield return $"Cluster {cluster.Metadata.Name} has no gateway yet.";
        }

        foreach (var row in view.Clusters)
        {
            foreach (var gateway in row.Gateways.Where(g => !view.Heard(g)))
            {
                yield return $"Gateway {row.Name}/{gateway.Name} {(gateway.LastSeen is { } seen ? $"was last heard of at {seen:u}" : "has not reported yet")}.";
            }

            foreach (var finding in row.Findings.Where(f => f.Severity == Domain.Planning.FindingSeverity.Error))
            {
                yield return $"Cluster {row.Name}: {finding.Message}";
            }
        }

        if (totals.Connected < wanted)
        {
            yield return $"{totals.Connected} of {wanted} tunnels are connected{(totals.Down > 0 ? $", {totals.Down} are down" : "")} (mfctl tunnel list).";
        }
    }
}
