using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Control.Api;

/// <summary>Reads what people and agents send into values, or says by field what is wrong. The only place that parses.</summary>
public static partial class Fields
{
    const int MaxCidrs = 64;
    const int MaxNodes = 5000;
    const int MaxLabels = 64;

    /// <summary>A name as one step of a JSON pointer (RFC 6901).</summary>
    public static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    public static string Name(string? text, string pointer, FieldErrors errors)
    {
        if (!ResourceName.IsValid(text))
        {
            errors.Add(pointer, ResourceName.Rule);
        }

        return text ?? "";
    }

    public static string Text(string? text, string pointer, FieldErrors errors, int limit = 253)
    {
        if (text is { Length: var length } && (length > limit || text.Any(char.IsControl)))
        {
            errors.Add(pointer, $"at most {limit} characters without control characters");
        }

        return text ?? "";
    }

    public static int Number(int? value, int low, int high, int fallback, string pointer, FieldErrors errors)
    {
        if (value is { } number && (number < low || number > high))
        {
            errors.Add(pointer, $"a number from {low} to {high} is needed, not {number}");
        }

        return value ?? fallback;
    }

    public static IReadOnlyList<Cidr> Cidrs(IReadOnlyList<string>? texts, string pointer, FieldErrors errors, MeshSettings? settings = null)
    {
        var cidrs = new List<Cidr>();
        if (texts is { Count: > MaxCidrs })
        {
            errors.Add(pointer, $"at most {MaxCidrs} CIDRs, not {texts.Count}");
            return cidrs;
        }

        for (var i = 0; i < (texts?.Count ?? 0); i++)
        {
            var at = $"{pointer}/{i}";
            if (!Cidr.TryParse(texts![i], out var cidr, out var error))
            {
                errors.Add(at, error);
            }
            else if (settings is not null && AddressPlanner.Check(settings, cidr) is { } finding)
            {
                errors.Add(at, $"{finding.Message} {finding.Hint}");
            }
            else if (cidrs.Find(c => c.Overlaps(cidr)) is { } other)
            {
                errors.Add(at, cidr == other ? $"{cidr} stands here twice" : $"{cidr} overlaps {other} in the same list");
            }
            else
            {
                cidrs.Add(cidr);
            }
        }

        return cidrs;
    }

    public static ClusterKind Kind(string? text, string pointer, FieldErrors errors)
    {
        switch (text)
        {
            case null or "" or "site":
                return ClusterKind.Site;
            case "kubernetes":
                return ClusterKind.Kubernetes;
            case "machine":
                return ClusterKind.Machine;
            default:
                errors.Add(pointer, $"'{text}' is not kubernetes, site or machine");
                return ClusterKind.Site;
        }
    }

    /// <summary>Null when none is given.</summary>
    public static Granularity? Granularity(string? text, string pointer, FieldErrors errors)
    {
        switch (text)
        {
            case null:
                return null;
            case "gateway":
                return Domain.Clusters.Granularity.Gateway;
            case "node":
                return Domain.Clusters.Granularity.Node;
            default:
                errors.Add(pointer, $"'{text}' is not gateway or node");
                return null;
        }
    }

    public static IReadOnlyDictionary<string, string> Labels(IReadOnlyDictionary<string, string>? labels, string pointer, FieldErrors errors)
    {
        if (labels is { Count: > MaxLabels })
        {
            errors.Add(pointer, $"at most {MaxLabels} labels");
        }

        foreach (var (key, value) in labels ?? new Dictionary<string, string>())
        {
            if (!LabelKey().IsMatch(key) || value is null || !LabelValue().IsMatch(value))
            {
                errors.Add($"{pointer}/{Escape(key)}", "not a Kubernetes label (key: [prefix/]name, value: up to 63 letters, digits, '-', '_', '.')");
            }
        }

        return labels ?? new Dictionary<string, string>();
    }

    /// <summary>As <see cref="Labels"/>, of those that a topology chooses by.</summary>
    public static IReadOnlyDictionary<string, string> DeclaredLabels(IReadOnlyDictionary<string, string>? labels, string pointer, FieldErrors errors)
    {
        if (labels?.ContainsKey(LabelSelector.NameKey) == true)
        {
            errors.Add($"{pointer}/{Escape(LabelSelector.NameKey)}", "it is the cluster's own name, and nobody else's to say");
        }

        return Labels(labels, pointer, errors);
    }

    public static IReadOnlyList<UdpEndpoint> Endpoints(IReadOnlyList<string>? texts, string pointer, FieldErrors errors)
    {
        var endpoints = new List<UdpEndpoint>();
        for (var i = 0; i < (texts?.Count ?? 0) && i < 16; i++)
        {
            if (UdpEndpoint.TryParse(texts![i], out var endpoint) && endpoint.Port <= 65535 - GatewayFacts.MaxPerCluster)
            {
                endpoints.Add(endpoint);
            }
            else
            {
                errors.Add($"{pointer}/{i}", $"'{texts[i]}' is not an address and port such as 192.0.2.1:51820 or [2001:db8::1]:51820, with {GatewayFacts.MaxPerCluster} ports free above it");
            }
        }

        if (texts is { Count: > 16 })
        {
            errors.Add(pointer, "at most 16 endpoints");
        }

        return endpoints;
    }

    /// <param name="settings">Null: prefixes that the mesh cannot take are left to the address planner, which refuses them one by one.</param>
    public static ClusterInventory Inventory(InventoryDocument document, string pointer, MeshSettings? settings, FieldErrors errors)
    {
        if (document.Nodes is { Count: > MaxNodes })
        {
            errors.Add($"{pointer}/nodes", $"at most {MaxNodes} nodes");
        }

        var nodes = (document.Nodes ?? []).Take(MaxNodes).Select((n, i) => new NodeInventory(
            Text(n.Name, $"{pointer}/nodes/{i}/name", errors),
            n.Ready ?? true,
            (n.Addresses ?? []).ToValueList(),
            Cidrs(n.PodCidrs, $"{pointer}/nodes/{i}/podCidrs", errors).ToValueList(),
            Text(n.Zone, $"{pointer}/nodes/{i}/zone", errors),
            Text(n.KubeletVersion, $"{pointer}/nodes/{i}/kubeletVersion", errors))).ToValueList();
        return new ClusterInventory(
            Kind(document.Kind, $"{pointer}/kind", errors),
            new ClusterLocation(Text(document.Provider, $"{pointer}/provider", errors), Text(document.Region, $"{pointer}/region", errors), Text(document.Zone, $"{pointer}/zone", errors)),
            Labels(document.Labels, $"{pointer}/labels", errors).Select(l => new Label(l.Key, l.Value)).ToValueList(),
            Cidrs(document.PodCidrs, $"{pointer}/podCidrs", errors, settings).ToValueList(),
            Cidrs(document.ServiceCidrs, $"{pointer}/serviceCidrs", errors).ToValueList(),
            Text(document.KubernetesVersion, $"{pointer}/kubernetesVersion", errors),
            nodes)
        {
            Beacons = Beacons(document.Beacons, $"{pointer}/beacons", errors),
        };
    }

    /// <summary>Null when none are given.</summary>
    public static ValueList<Cidr>? Beacons(IReadOnlyList<string>? texts, string pointer, FieldErrors errors)
    {
        if (texts is { Count: > ClusterInventory.MaxBeacons })
        {
            errors.Add(pointer, $"at most {ClusterInventory.MaxBeacons} addresses, not {texts.Count}");
            return [];
        }

        return texts?.Select((text, i) =>
        {
            if (!IPAddress.TryParse(text, out var address) || address.AddressFamily != AddressFamily.InterNetwork)
            {
                errors.Add($"{pointer}/{i}", $"'{text}' is not an IPv4 address");
                return null;
            }

            return Cidr.Host(address);
        }).OfType<Cidr>().Order().ToValueList();
    }

    /// <summary>What an agent says of its cluster's networking is text; it is held to its limits only.</summary>
    public static void Check(ClusterNetworking? networking, string pointer, FieldErrors errors)
    {
        if (networking is null)
        {
            return;
        }

        var (path, policy, proxy) = (networking.DataPath, networking.PolicyEngine, networking.ServiceProxy);
        string[] names = [path.Plugin, path.Encapsulation, path.Version, path.Namespace, policy.Name, proxy.Name, proxy.Mode];
        string[] sentences = [path.Source, policy.Source, proxy.Source, networking.PodCidrSource, networking.ServiceCidrSource, .. networking.Findings.SelectMany(f => new[] { f.Subject, f.Message, f.Hint, f.Code })];
        names.ToList().ForEach(n => Text(n, pointer, errors));
        sentences.ToList().ForEach(s => Text(s, pointer, errors, ClusterNetworking.MaxText));
        if (networking.Findings.Count > ClusterNetworking.MaxFindings || proxy.ClusterCidrs.Count > MaxCidrs)
        {
            errors.Add(pointer, $"at most {ClusterNetworking.MaxFindings} findings and {MaxCidrs} CIDRs");
        }
    }

    public static bool IsLabelKey(string text) => LabelKey().IsMatch(text);

    public static bool IsLabelValue(string text) => LabelValue().IsMatch(text);

    // \z, not $: that would let a line feed pass at the end.
    [GeneratedRegex("^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\\z")]
    private static partial Regex LabelKey();

    [GeneratedRegex("^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?\\z")]
    private static partial Regex LabelValue();
}
