using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;
using MeshFabric.Persistence;

namespace MeshFabric.Control.Api;

/// <summary><c>/clusters</c>: create, look at, change, remove.</summary>
public static class ClustersApi
{
    const string NoServices = "only a cluster of kind kubernetes has Services";

    public static void MapClusters(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/clusters").WithTags("Clusters");
        group.MapGet("", ListAsync).WithName("ListClusters").WithSummary("All clusters; ?label=key=value filters, and may be repeated");
        group.MapGet("/{name}", GetAsync).WithName("GetCluster");
        group.MapGet("/{name}/gateways", ListGatewaysAsync).WithName("ListClusterGateways");
        group.MapPost("", CreateAsync).WithName("CreateCluster").RequireAuthorization(Roles.Operator);
        group.MapPatch("/{name}", UpdateAsync).WithName("UpdateCluster").RequireAuthorization(Roles.Operator)
            .WithSummary("Changes the settings that are given");
        group.MapDelete("/{name}", RemoveAsync).WithName("RemoveCluster").RequireAuthorization(Roles.Operator)
            .WithSummary("Cuts the cluster off everywhere and frees its prefixes");
    }

    static async Task<Page<ClusterResource>> ListAsync(Paging paging, string[]? label, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var labels = (label ?? []).Select(Label).ToList();
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        var rows = view.Clusters.Where(c => labels.TrueForAll(l => view.Labels(c).TryGetValue(l.Key, out var value) && value == l.Value)).ToList();
        return paging.Cut(rows, c => c.Name, view.Show);
    }

    static async Task<ClusterResource> GetAsync(string name, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        return view.Show(view.Cluster(name));
    }

    static async Task<Page<GatewayResource>> ListGatewaysAsync(string name, Paging paging, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        return paging.Cut(view.Cluster(name).Gateways.OrderBy(g => g.Name, StringComparer.Ordinal).ToList(), g => g.Name, view.Show);
    }

    static async Task<IResult> CreateAsync(Body<CreateCluster> body, HttpContext context, FactsStore facts, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var settings = await FactsStore.SettingsAsync(db, cancellationToken);
        var errors = new FieldErrors();
        var name = Fields.Name(body.Value.Name, "/name", errors);
        var spec = body.Value.Spec;
        var inventory = new ClusterInventory(
            Fields.Kind(spec?.Kind, "/spec/kind", errors),
            new ClusterLocation(Fields.Text(spec?.Provider, "/spec/provider", errors), Fields.Text(spec?.Region, "/spec/region", errors), Fields.Text(spec?.Zone, "/spec/zone", errors)),
            Fields.Labels(body.Value.Labels, "/labels", errors).Select(l => new Label(l.Key, l.Value)).ToValueList(),
            Fields.Cidrs(spec?.PodCidrs, "/spec/podCidrs", errors, settings).ToValueList(),
            Fields.Cidrs(spec?.ServiceCidrs, "/spec/serviceCidrs", errors).ToValueList(),
            "",
            [])
        {
            Beacons = Fields.Beacons(spec?.Beacons, "/spec/beacons", errors),
        };
        if (spec?.AdvertiseServices == true && inventory.Kind != ClusterKind.Kubernetes)
        {
            errors.Add("/spec/advertiseServices", NoServices);
        }

        errors.ThrowIfAny();
        var caller = TokenAuthentication.CallerOf(context);
        await facts.ChangeAsync(change => ClusterChanges.CreateAsync(change, name, inventory, Declared(inventory), spec?.AdvertiseServices ?? false, caller, "/spec/podCidrs", cancellationToken), cancellationToken);
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        return TypedResults.Created($"{Contracts.Http.Api.Prefix}/clusters/{name}", view.Show(view.Cluster(name)));
    }

    static async Task<ClusterResource> UpdateAsync(string name, Body<UpdateCluster> body, HttpContext context, FactsStore facts, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var (advertise, labels) = (body.Value.Spec?.AdvertiseServices, body.Value.Labels);
        var granularity = Fields.Granularity(body.Value.Spec?.Granularity, "/spec/granularity", errors);
        if (advertise is null && labels is null && body.Value.Spec?.Granularity is null)
        {
            errors.Add("/spec", "advertiseServices (true or false) or granularity (gateway or node) is needed, or /labels: it is all that can be changed");
        }

        Fields.DeclaredLabels(labels?.Where(l => l.Value is not null).ToDictionary(l => l.Key, l => l.Value!), "/labels", errors);
        errors.ThrowIfAny();
        var caller = TokenAuthentication.CallerOf(context);
        await facts.ChangeAsync(async change =>
        {
            if (labels is not null)
            {
                await ClusterChanges.LabelAsync(change, name, has => Merged(has, labels), caller, cancellationToken);
            }

            if (granularity is not null)
            {
                await LeafChanges.SetGranularityAsync(change, name, granularity.Value, caller, cancellationToken);
            }

            return advertise is null || await ClusterChanges.AdvertiseServicesAsync(change, name, advertise.Value, caller, cancellationToken) is not null;
        }, cancellationToken);
        var view = await MeshView.LoadAsync(db, time, cancellationToken);
        return view.Show(view.Cluster(name));
    }

    static async Task<IResult> RemoveAsync(string name, HttpContext context, FactsStore facts, CutOff cutOff, CancellationToken cancellationToken)
    {
        var caller = TokenAuthentication.CallerOf(context);
        var gateways = await facts.ChangeAsync(change => ClusterChanges.RemoveAsync(change, name, caller, cancellationToken), cancellationToken);
        await cutOff.RunAsync(gateways, new LeaveMesh($"Cluster {name} was removed from the mesh."));
        return TypedResults.NoContent();
    }

    // Whoever creates a cluster may say where it is, also for the topology; what its agents say later does not count there.
    static Dictionary<string, string> Declared(ClusterInventory inventory) =>
        inventory.Labels
            .Concat([new(LabelSelector.ProviderKey, inventory.Location.Provider), new(LabelSelector.RegionKey, inventory.Location.Region), new(LabelSelector.ZoneKey, inventory.Location.Zone)])
            .Where(l => l.Value.Length > 0 && Fields.IsLabelValue(l.Value)).DistinctBy(l => l.Key).ToDictionary(l => l.Key, l => l.Value);

    // RFC 7386: null takes a label away.
    static Dictionary<string, string> Merged(IReadOnlyDictionary<string, string> has, IReadOnlyDictionary<string, string?> labels) =>
        has.Where(l => !labels.ContainsKey(l.Key)).Concat(labels.Where(l => l.Value is not null).Select(l => KeyValuePair.Create(l.Key, l.Value!))).ToDictionary();

    static (string Key, string Value) Label(string text)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 ? (text[..equals], text[(equals + 1)..]) : throw Refusal.Query("label", $"'{text}' is not KEY=VALUE");
    }
}
