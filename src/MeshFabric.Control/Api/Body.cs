using System.Reflection;
using System.Text.Json;
using MeshFabric.Contracts.Http;
using Microsoft.AspNetCore.Http.Metadata;

namespace MeshFabric.Control.Api;

/// <summary>A request's JSON body. Read strictly: an unknown or doubled field, a wrong type or broken JSON is refused by its JSON pointer.</summary>
public sealed record Body<T>(T Value) : IBindableFromHttpContext<Body<T>>, IEndpointParameterMetadataProvider
    where T : class
{
    static readonly JsonSerializerOptions Strict = new(MeshJson.Options) { AllowDuplicateProperties = false };

    static async ValueTask<Body<T>?> IBindableFromHttpContext<Body<T>>.BindAsync(HttpContext context, ParameterInfo parameter)
    {
        if (!context.Request.HasJsonContentType())
        {
            throw new Refusal(StatusCodes.Status415UnsupportedMediaType, "unsupported-media-type", "Unsupported media type",
                $"The body must be JSON: send it with Content-Type: application/json, not '{context.Request.ContentType}'.");
        }

        try
        {
            return await JsonSerializer.DeserializeAsync<T>(context.Request.Body, Strict, context.RequestAborted) is { } value
                ? new Body<T>(value)
                : throw Malformed("", "an object is needed, not null");
        }
        catch (JsonException e)
        {
            throw Malformed(Pointer(e.Path), Reason(e));
        }
    }

    static void IEndpointParameterMetadataProvider.PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder) =>
        builder.Metadata.Add(new AcceptsMetadata(["application/json"], typeof(T)));

    static Refusal Malformed(string pointer, string reason) => new(
        StatusCodes.Status400BadRequest, "malformed-body", "The body cannot be read", $"{(pointer.Length > 0 ? pointer + ": " : "")}{reason}",
        new Dictionary<string, IReadOnlyList<string>> { [pointer] = [reason] });

    static string Reason(JsonException exception)
    {
        var text = exception.Message;
        if (text.Contains("could not be mapped to any .NET member", StringComparison.Ordinal))
        {
            return "there is no such field";
        }

        if (text.Contains("could not be converted", StringComparison.Ordinal))
        {
            return "the value is of the wrong type";
        }

        // Of the reader's own messages only the first sentence is for people.
        var end = text.IndexOf(" Path:", StringComparison.Ordinal);
        return end > 0 ? text[..end] : text;
    }

    /// <summary>RFC 6901 from the serializer's path: <c>$.spec.podCidrs[0]</c> becomes <c>/spec/podCidrs/0</c>.</summary>
    static string Pointer(string? path)
    {
        var pointer = new System.Text.StringBuilder();
        var rest = (path ?? "$").AsSpan(1);
        while (!rest.IsEmpty)
        {
            int end;
            ReadOnlySpan<char> name;
            if (rest.StartsWith("['"))
            {
                end = rest.IndexOf("']");
                name = rest[2..end];
                end += 2;
            }
            else if (rest[0] == '[')
            {
                end = rest.IndexOf(']');
                name = rest[1..end];
                end++;
            }
            else
            {
                end = rest[1..].IndexOfAny('.', '[');
                end = end < 0 ? rest.Length : end + 1;
                name = rest[1..end];
            }

            pointer.Append('/').Append(Fields.Escape(name.ToString()));
            rest = rest[end..];
        }

        return pointer.ToString();
    }
}

sealed class AcceptsMetadata(IReadOnlyList<string> contentTypes, Type requestType) : IAcceptsMetadata
{
    public IReadOnlyList<string> ContentTypes => contentTypes;
    public Type RequestType => requestType;
    public bool IsOptional => false;
}
