using System.Buffers.Text;
using System.Text;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Control.Api;

/// <summary>Which page of a list is asked for: <c>?limit=</c> (1 to 500, default 100) and <c>?cursor=</c>.</summary>
public sealed record Paging(int Limit, string? After) : IBindableFromHttpContext<Paging>
{
    public const int MaxLimit = 500;
    const int DefaultLimit = 100;

    public static ValueTask<Paging?> BindAsync(HttpContext context, System.Reflection.ParameterInfo parameter)
    {
        var query = context.Request.Query;
        var limit = DefaultLimit;
        if (query.TryGetValue("limit", out var text) && (!int.TryParse(text, out limit) || limit is < 1 or > MaxLimit))
        {
            throw Refusal.Query("limit", $"a number from 1 to {MaxLimit} is needed");
        }

        return ValueTask.FromResult<Paging?>(new Paging(limit, query.TryGetValue("cursor", out var cursor) ? Decode(cursor.ToString()) : null));
    }

    /// <summary>One page of a list that is ordered by an ordinal, unique key; a cursor stays right when rows come and go meanwhile.</summary>
    public Page<TOut> Cut<T, TOut>(IReadOnlyList<T> ordered, Func<T, string> key, Func<T, TOut> project)
    {
        var start = 0;
        if (After is not null)
        {
            while (start < ordered.Count && string.CompareOrdinal(key(ordered[start]), After) <= 0)
            {
                start++;
            }
        }

        var items = ordered.Skip(start).Take(Limit).ToList();
        var more = start + items.Count < ordered.Count;
        return new Page<TOut>(items.Select(project).ToList(), more ? Encode(key(items[^1])) : null, ordered.Count);
    }

    public static string Encode(string key) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(key));

    static string Decode(string cursor)
    {
        try
        {
            return Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor));
        }
        catch (FormatException)
        {
            throw Refusal.Query("cursor", "hand back a cursor as it came, or leave it away for the first page");
        }
    }
}
