namespace MeshFabric.Net;

/// <summary>Finds free prefixes inside larger ones. Pure: what is taken is handed in.</summary>
public static class CidrPool
{
    /// <summary>The lowest prefix of <paramref name="length"/> bits inside <paramref name="pool"/> that overlaps none of <paramref name="taken"/>; null when the pool is full or too small.</summary>
    /// <remarks>O(t log t) for t taken prefixes, however large the pool: it jumps from one taken range to the end of it.</remarks>
    public static Cidr? FirstFree(Cidr pool, int length, IEnumerable<Cidr> taken)
    {
        if (length < pool.Length || length > pool.MaxLength)
        {
            return null;
        }

        var size = UInt128.One << (pool.MaxLength - length);
        if (length == 0)
        {
            return taken.Any(t => t.Family == pool.Family) ? null : pool;
        }

        var end = Last(pool);
        var candidate = pool.Bits;
        foreach (var used in taken.Where(t => t.Family == pool.Family && t.Overlaps(pool)).Order())
        {
            if (Last(used) < candidate)
            {
                continue;
            }

            if (used.Bits > candidate + (size - UInt128.One))
            {
                break;
            }

            var next = Last(used);
            if (next >= end)
            {
                return null;
            }

            candidate = AlignUp(next + UInt128.One, size);
            if (candidate > end || candidate < pool.Bits)
            {
                return null;
            }
        }

        return candidate + (size - UInt128.One) <= end ? Cidr.OfBits(pool.Family, candidate, length) : null;
    }

    static UInt128 Last(Cidr cidr) => IPBits.FromAddress(cidr.LastAddress);

    static UInt128 AlignUp(UInt128 value, UInt128 size) => (value + size - UInt128.One) / size * size;
}
