using System.Reflection;
using System.Text.Json;
using MeshFabric.Contracts.Http;
using Microsoft.AspNetCore.Http.Metadata;

namespace MeshFabric.Control.Api;

/// <summary>A request's JSON body. Read strictly: an unknown or doubled field, a wrong type or broken JSON is refused by its JSON pointer.</summary>
public sealed record Body<T>(T Value) : IBindableFromHttpContext<Body<T>>, IEndpointParameterMetadataProvider
    where T : class
{
    static async ValueTask<Body<T>?> IBindableFromHttpContext<Body<T>>.BindAsync(HttpContext context, ParameterInfo parameter)
    {
        if (!context.Request.HasJsonContentType())
        {
            throw new Refusal(StatusCodes.Status415UnsupportedMediaType, "unsupported-media-type", "Unsupported media type",
                $"The body must be JSON: send it with Content-Type: application/json, not '{context.Request.ContentType}'.");
        }

        try
        {
            return await JsonSerializer.DeserializeAsync<T>(context.Request.Body, MeshJson.Strict, context.RequestAborted) is { } value
                ? new Body<T>(value)
                : throw Malformed("", "an object is needed, not null");
        }
        catch (JsonException e)
        {
            var (pointer, reason) = JsonErrors.Of(e);
            throw Malformed(pointer, reason);
        }
    }

    static void IEndpointParameterMetadataProvider.PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder) =>
        builder.Metadata.Add(new AcceptsMetadata(["application/json"], typeof(T)));

    static Refusal Malformed(string pointer, string reason) => new(
        StatusCodes.Status400BadRequest, "malformed-body", "The body cannot be read", $"{(pointer.Length > 0 ? pointer + ": " : "")}{reason}",
        new Dictionary<string, IReadOnlyList<string>> { [pointer] = [reason] });
}

sealed class AcceptsMetadata(IReadOnlyList<string> contentTypes, Type requestType) : IAcceptsMetadata
{
    public IReadOnlyList<string> ContentTypes => contentTypes;
    public Type RequestType => requestType;
    public bool IsOptional => false;
}
