using System.Security.Cryptography;
using System.Text;

namespace MeshFabric.Agent.Nodes;

/// <summary>How a leaf is named: as its node, where that makes a name. Pure.</summary>
public static class LeafName
{
    /// <summary>Gateways' names, gw1 and so on, do not begin so.</summary>
    public const string Prefix = "node-";

    // RFC 1123 label
    const int Longest = 63;
    const int HashLength = 8;

    /// <param name="node">RFC 1123 subdomain, as names of Kubernetes nodes are.</param>
    /// <returns>An RFC 1123 label; two nodes of one cluster never have the same.</returns>
    public static string Of(string node)
    {
        var name = Prefix + node;
        if (name.Length <= Longest && !node.Contains('.', StringComparison.Ordinal))
        {
            return name;
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(node)))[..HashLength];
        var start = name.Replace('.', '-');
        return $"{start[..Math.Min(start.Length, Longest - HashLength - 1)].TrimEnd('-')}-{hash}";
    }
}
