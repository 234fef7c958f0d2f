using MeshFabric.Contracts.Http;
using MeshFabric.Control.Enrolment;
using MeshFabric.Control.Meshing;
using MeshFabric.Net;
using MeshFabric.Persistence;

namespace MeshFabric.Control.Api;

/// <summary><c>/enrolments</c>: how an agent becomes a gateway. Authorised by the join token in the body, so open to strangers: rate limited and checked first.</summary>
public static class EnrolmentsApi
{
    /// <summary>Name of the rate limit.</summary>
    public const string RateLimit = "enrolments";

    public static void MapEnrolments(this IEndpointRouteBuilder root) => root.MapPost("/enrolments", EnrolAsync)
        .WithName("CreateEnrolment").WithTags("Enrolments").AllowAnonymous().RequireRateLimiting(RateLimit);

    static async Task<IResult> EnrolAsync(Body<CreateEnrolment> body, HttpContext context, EnrolmentDesk desk, MeshDbContext db, CancellationToken cancellationToken)
    {
        var asked = body.Value;
        var errors = new FieldErrors();
        var settings = await FactsStore.SettingsAsync(db, cancellationToken);
        if (!JoinToken.TryDecode(asked.Token, out var token))
        {
            errors.Add("/token", "a join token begins with mfj1_ and comes from 'mfctl token create'");
        }

        if (!PublicKey.TryParse(asked.PublicKey, out var key))
        {
            errors.Add("/publicKey", "44 base64 characters that stand for 32 bytes are needed");
        }

        var cluster = Fields.Name(asked.Cluster, "/cluster", errors);
        var gateway = Fields.Name(asked.Gateway, "/gateway", errors);
        var port = Fields.Number(asked.ListenPort, 1024, 65_000, 51_820, "/listenPort", errors);
        var endpoints = Fields.Endpoints(asked.Endpoints, "/endpoints", errors);
        var version = Fields.Text(asked.AgentVersion, "/agentVersion", errors, 64);
        var inventory = asked.Inventory is null ? null : Fields.Inventory(asked.Inventory, "/inventory", settings, errors);
        errors.ThrowIfAny();
        var request = new EnrolmentRequest(token!, cluster, gateway, key!, port, endpoints, asked.CertificateRequest ?? "", version, inventory);
        try
        {
            return TypedResults.Ok(await desk.EnrolAsync(request, TokenAuthentication.CallerOf(context), cancellationToken));
        }
        catch (FormatException e)
        {
            errors.Add("/certificateRequest", e.Message);
            errors.ThrowIfAny();
            throw;
        }
    }
}
