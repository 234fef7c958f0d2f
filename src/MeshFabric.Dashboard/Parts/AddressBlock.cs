using MeshFabric.Contracts.Http;

namespace MeshFabric.Dashboard.Parts;

/// <summary>Where a prefix of the mesh lies in its row of the address map: a row is an IPv4 /8 or an IPv6 /16.</summary>
public sealed record AddressBlock(PrefixResource Prefix)
{
    int RowBits => Prefix.Mesh.IsIPv4 ? 8 : 16;

    /// <summary>Such as <c>10.0.0.0/8</c>.</summary>
    public string Row
    {
        get
        {
            var bytes = Prefix.Mesh.Address.GetAddressBytes();
            return Prefix.Mesh.IsIPv4 ? $"{bytes[0]}.0.0.0/8" : $"{bytes[0]:x2}{bytes[1]:x2}::/16";
        }
    }

    /// <summary>0 to 1 of the row.</summary>
    public double Start
    {
        get
        {
            var (start, part) = (0.0, 1.0);
            foreach (var b in Prefix.Mesh.Address.GetAddressBytes().Skip(RowBits / 8))
            {
                part /= 256;
                start += b * part;
            }

            return start;
        }
    }

    /// <summary>0 to 1 of the row.</summary>
    public double Share => Math.Pow(2, -Math.Max(0, Prefix.Mesh.Length - RowBits));
}
