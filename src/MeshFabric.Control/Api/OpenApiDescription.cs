using MeshFabric.Net;
using MeshFabric.ServiceDefaults;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace MeshFabric.Control.Api;

/// <summary>What the generator cannot see by itself: values that are text on the wire, and how to log in.</summary>
public static class OpenApiDescription
{
    static readonly Dictionary<Type, (string Format, string Description)> Texts = new()
    {
        [typeof(Cidr)] = ("cidr", "A prefix in canonical form, such as 10.10.0.0/16"),
        [typeof(PublicKey)] = ("wireguard-key", "44 base64 characters that stand for 32 bytes"),
        [typeof(UdpEndpoint)] = ("udp-endpoint", "An address and port, such as 192.0.2.1:51820 or [2001:db8::1]:51820"),
    };

    public static void Configure(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo { Title = "MeshFabric", Version = ProductVersion.Current, Description = "The control service of a MeshFabric mesh. Refusals are problem details (RFC 9457)." };
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
            document.Components.SecuritySchemes[TokenAuthentication.SchemeName] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", BearerFormat = "mfa_ID_SECRET" };
            return Task.CompletedTask;
        });
        options.AddSchemaTransformer(async (schema, context, cancellationToken) =>
        {
            var type = context.JsonTypeInfo.Type;
            if (Texts.TryGetValue(type, out var text))
            {
                schema.Type = JsonSchemaType.String;
                schema.Format = text.Format;
                schema.Description = text.Description;
            }
            else if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueList<>))
            {
                schema.Type = JsonSchemaType.Array;
                schema.Items = await context.GetOrCreateSchemaAsync(type.GetGenericArguments()[0], null, cancellationToken);
            }
        });
    }
}
