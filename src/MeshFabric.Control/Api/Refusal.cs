using MeshFabric.Domain.Planning;

namespace MeshFabric.Control.Api;

/// <summary>A request is refused. Ends the transaction it happened in, so nothing is half done; one place turns it into problem details (RFC 9457).</summary>
/// <param name="code">Stable, kebab-case; listed in docs/errors.md.</param>
/// <param name="errors">Messages by JSON pointer, for refusals of single fields.</param>
public sealed class Refusal(int status, string code, string title, string detail, IReadOnlyDictionary<string, IReadOnlyList<string>>? errors = null) : Exception(detail)
{
    public int Status { get; } = status;
    public string Code { get; } = code;
    public string Title { get; } = title;
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Errors { get; } = errors;

    public static Refusal NotFound(string kind, string name) =>
        new(StatusCodes.Status404NotFound, "not-found", "Not found", $"There is no {kind} '{name}'." + Listing(kind));

    // What is called one thing in the API's words and another on the command line, and what has no list.
    static string Listing(string kind) => kind switch
    {
        "join token" => " List what there is: mfctl token list",
        "API token" => " List what there is: mfctl api-token list",
        "probe" => "",
        _ => $" List what there is: mfctl {kind} list",
    };

    public static Refusal Conflict(string code, string detail) => new(StatusCodes.Status409Conflict, code, "Conflict", detail);

    /// <summary>A query parameter cannot be used.</summary>
    public static Refusal Query(string name, string reason) => new(StatusCodes.Status400BadRequest, "bad-query", "Bad query", $"?{name}=: {reason}.");

    public static Refusal Of(IReadOnlyCollection<Finding> findings, string pointer) =>
        new(findings.Any(f => f.Code == "pool-exhausted") ? StatusCodes.Status409Conflict : StatusCodes.Status422UnprocessableEntity,
            findings.First().Code, "The address plan refuses this", string.Join(" ", findings.Select(f => $"{f.Message} {f.Hint}")),
            new Dictionary<string, IReadOnlyList<string>> { [pointer] = findings.Select(f => f.Message).ToList() });
}

/// <summary>Gathers everything that is wrong with a request before refusing it.</summary>
public sealed class FieldErrors
{
    readonly SortedDictionary<string, List<string>> _errors = new(StringComparer.Ordinal);

    public void Add(string pointer, string message)
    {
        if (!_errors.TryGetValue(pointer, out var messages))
        {
            _errors[pointer] = messages = [];
        }

        messages.Add(message);
    }

    public void ThrowIfAny()
    {
        if (_errors.Count > 0)
        {
            throw ToRefusal();
        }
    }

    /// <summary>Null when there are none.</summary>
    public string? Text => _errors.Count == 0 ? null : string.Join("; ", _errors.Select(e => $"{e.Key}: {string.Join(", ", e.Value)}"));

    public Refusal ToRefusal() => new(StatusCodes.Status422UnprocessableEntity, "invalid", "The request is invalid",
        Text ?? "",
        _errors.ToDictionary(e => e.Key, e => (IReadOnlyList<string>)e.Value));
}
