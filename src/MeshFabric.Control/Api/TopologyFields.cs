using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Control.Api;

/// <summary>Reads a declared topology into a value, or says by field what is wrong.</summary>
static class TopologyFields
{
    const int MaxPairs = 500;

    public static Topology Read(TopologySpec? spec, string pointer, FieldErrors errors)
    {
        TopologyKind? kind = spec?.Type switch
        {
            "full-mesh" => TopologyKind.FullMesh,
            "hub-and-spoke" => TopologyKind.HubAndSpoke,
            "regions" => TopologyKind.Regions,
            "pairs" => TopologyKind.Pairs,
            _ => null,
        };
        if (kind is null)
        {
            errors.Add($"{pointer}/type", $"{(spec?.Type is { } type ? $"'{type}' is not" : "one is needed of")} full-mesh, hub-and-spoke, regions {(spec?.Type is null ? "and" : "or")} pairs");
            return Topology.FullMesh;
        }

        var withHubs = new Topology(kind.Value).HasHubs;
        Only(withHubs, spec!.Hubs, "hubs", "hub-and-spoke and regions");
        Only(withHubs, spec.Transit, "transit", "hub-and-spoke and regions");
        Only(kind == TopologyKind.Regions, spec.RegionLabel, "regionLabel", "regions");
        Only(kind == TopologyKind.Pairs, spec.Pairs, "pairs", "pairs");
        var region = spec.RegionLabel ?? LabelSelector.RegionKey;
        if (!Fields.IsLabelKey(region))
        {
            errors.Add($"{pointer}/regionLabel", $"'{region}' is not the key of a label");
        }

        return new Topology(kind.Value)
        {
            Hubs = withHubs ? Selector(spec.Hubs, $"{pointer}/hubs") : null,
            Transit = spec.Transit ?? true,
            RegionLabel = region,
            Pairs = kind == TopologyKind.Pairs ? Pairs(spec.Pairs) : [],
        };

        void Only(bool isOfThis, object? value, string field, string kinds)
        {
            if (!isOfThis && value is not null)
            {
                errors.Add($"{pointer}/{field}", $"a topology of type {spec.Type} has none: it is of {kinds}");
            }
        }

        LabelSelector? Selector(string? text, string at)
        {
            if (!LabelSelector.TryParse(text, out var selector, out var error))
            {
                errors.Add(at, error);
            }

            return selector;
        }

        ValueList<ClusterPair> Pairs(IReadOnlyList<TopologyPair>? pairs)
        {
            if (pairs is not { Count: > 0 and <= MaxPairs })
            {
                errors.Add($"{pointer}/pairs", $"1 to {MaxPairs} pairs are needed, each with 'between' and 'and'");
                return [];
            }

            return pairs.Select((p, i) => (Between: Selector(p?.Between, $"{pointer}/pairs/{i}/between"), And: Selector(p?.And, $"{pointer}/pairs/{i}/and")))
                .Where(p => p is { Between: not null, And: not null }).Select(p => new ClusterPair(p.Between!, p.And!)).ToValueList();
        }
    }
}
