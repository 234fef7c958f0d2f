using System.Threading.RateLimiting;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Enrolment;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Api;

/// <summary><c>/enrolments</c>: authorised by a join token in the body, so anybody may try; rate limited by address.</summary>
public static class EnrolmentsApi
{
    const string Limit = "enrolments";
    const int Burst = 300;
    const int PerSecond = 30;
    const int HighestBasePort = 65535 - GatewayFacts.MaxPerCluster;
    const int MaxRequestLength = 8192;

    // RFC 1123 subdomain
    const int MaxNodeLength = 253;

    public static void MapEnrolments(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("/enrolments").WithTags("Enrolments").AllowAnonymous().RequireRateLimiting(Limit);
        group.MapPost("", CreateAsync).WithName("CreateEnrolment").WithSummary("Makes the caller a gateway of a cluster");
        group.MapGet("/{gatewayId}", GetAsync).WithName("GetEnrolment").WithSummary("Whether a gateway is still part of the mesh; 410 when it was removed");
    }

    public static IServiceCollection AddEnrolmentLimit(this IServiceCollection services) => services.AddRateLimiter(limits =>
    {
        limits.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        limits.OnRejected = (rejected, _) =>
        {
            rejected.HttpContext.Response.Headers.RetryAfter = "1";
            return ValueTask.CompletedTask;
        };
        limits.AddPolicy(Limit, context => RateLimitPartition.GetTokenBucketLimiter(context.Connection.RemoteIpAddress?.ToString() ?? "", _ => new TokenBucketRateLimiterOptions
        {
            TokenLimit = Burst,
            TokensPerPeriod = PerSecond,
            ReplenishmentPeriod = TimeSpan.FromSeconds(1),
            QueueLimit = 0,
        }));
    });

    // Who knows the unguessable id is that gateway, or has seen its broker identity. "Removed" is only said on record: a control service
    // whose database was lost knows nobody, and must not take the mesh down by saying so.
    static async Task<IResult> GetAsync(string gatewayId, MeshDbContext db, CancellationToken cancellationToken)
    {
        if (await db.Gateways.AnyAsync(g => g.Id == gatewayId, cancellationToken))
        {
            return TypedResults.Ok(new EnrolmentStateResource(gatewayId, "enrolled"));
        }

        return await db.RemovedGateways.SingleOrDefaultAsync(g => g.GatewayId == gatewayId, cancellationToken) is { } removed
            ? throw new Refusal(StatusCodes.Status410Gone, "gateway-removed", "Removed", $"Gateway {removed.Name} was removed from the mesh, or replaced, at {removed.RemovedAt:u}.")
            : throw Refusal.NotFound("gateway", gatewayId);
    }

    static async Task<IResult> CreateAsync(Body<CreateEnrolment> body, HttpContext context, EnrolmentDesk desk, MeshDbContext db, CancellationToken cancellationToken)
    {
        var asked = body.Value;
        var settings = await FactsStore.SettingsAsync(db, cancellationToken);
        var errors = new FieldErrors();
        if (!JoinToken.TryDecode(asked.Token, out var token))
        {
            errors.Add("/token", "a join token is needed, as mfctl token create printed it (mfj1_...)");
        }

        if (!PublicKey.TryParse(asked.PublicKey, out var key))
        {
            errors.Add("/publicKey", "a public key is 44 base64 characters that stand for 32 bytes");
        }
        else if (!key.IsUsable)
        {
            errors.Add("/publicKey", "no secret can be shared with this key: make another one");
        }

        if (asked.CertificateRequest is not { Length: > 0 and <= MaxRequestLength })
        {
            errors.Add("/certificateRequest", "a PKCS#10 certificate request in PEM with an ECDSA P-256 key is needed");
        }

        // A token that is for one cluster says which; its secret is checked with everything else, by the desk.
        var named = asked.Cluster ?? (token is null ? null : await db.JoinTokens.Where(t => t.Id == token.Id && t.Cluster != "").Select(t => t.Cluster).SingleOrDefaultAsync(cancellationToken));
        var cluster = Fields.Name(named, "/cluster", errors);
        var gateway = Fields.Name(asked.Gateway, "/gateway", errors);
        var port = Fields.Number(asked.ListenPort, 1, HighestBasePort, 51820, "/listenPort", errors);
        var endpoints = Fields.Endpoints(asked.Endpoints, "/endpoints", errors);
        var version = Fields.Text(asked.AgentVersion, "/agentVersion", errors, 64);
        var inventory = asked.Inventory is null ? null : Fields.Inventory(asked.Inventory, "/inventory", settings, errors);
        var node = Fields.Text(asked.Node, "/node", errors, MaxNodeLength);
        if (asked.Leaf == true && node.Length == 0)
        {
            errors.Add("/node", "the name of the Kubernetes node is needed: a leaf carries for its pods");
        }

        errors.ThrowIfAny();
        var request = new EnrolmentRequest(token!, cluster, gateway, key!, port, endpoints, asked.CertificateRequest!, version, inventory) { Node = node, IsLeaf = asked.Leaf == true };
        var enrolled = await desk.EnrolAsync(request, TokenAuthentication.CallerOf(context), cancellationToken);
        return TypedResults.Created($"{Contracts.Http.Api.Prefix}/gateways/{cluster}/{gateway}", enrolled);
    }
}
