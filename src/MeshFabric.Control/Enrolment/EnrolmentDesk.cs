using MeshFabric.Contracts;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Api;
using MeshFabric.Control.Meshing;
using MeshFabric.Control.Messaging;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Setup;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace MeshFabric.Control.Enrolment;

/// <summary>A checked request to enrol.</summary>
/// <param name="CertificateRequest">Checked when it is signed.</param>
public sealed record EnrolmentRequest(
    JoinToken Token, string Cluster, string Gateway, PublicKey PublicKey, int ListenPort, IReadOnlyList<UdpEndpoint> Endpoints, string CertificateRequest, string AgentVersion, ClusterInventory? Inventory)
{
    /// <inheritdoc cref="GatewayRequest.Node"/>
    public string Node { get; init; } = "";

    /// <inheritdoc cref="GatewayRequest.IsLeaf"/>
    public bool IsLeaf { get; init; }
}

/// <summary>Lets a gateway into the mesh for a join token.</summary>
/// <remarks>
/// In this order: the token is looked at without a lock, so that strangers cost nothing; certificate and broker identity are made, for an answer
/// means that the agent can log in; then one transaction uses the token and adds the gateway. What fails there takes the identity back, and uses up nothing.
/// </remarks>
public sealed partial class EnrolmentDesk(FactsStore facts, IBrokerAdmin broker, ICertificateAuthority authority, CutOff cutOff, TimeProvider time, IOptions<BrokerOptions> brokerOptions, ILogger<EnrolmentDesk> log)
{
    public async Task<EnrolmentResource> EnrolAsync(EnrolmentRequest request, Caller anonymous, CancellationToken cancellationToken)
    {
        var caller = anonymous with { Actor = $"join-token/{request.Token.Id}" };
        await facts.ReadAsync(db => AdmissionAsync(db, request, time.GetUtcNow(), cancellationToken), cancellationToken);
        // A request that cannot be signed uses nothing up.
        Sign(request.CertificateRequest, "check");
        var fresh = Ids.New("g");
        var admitted = await ProvisionedAsync(fresh, () => facts.ChangeAsync(change => AdmitAsync(change, fresh, request, caller, cancellationToken), cancellationToken), cancellationToken);
        if (admitted.GatewayId != fresh)
        {
            // The same agent asked again: its first identity stays.
            await broker.RevokeAsync(fresh, cancellationToken);
            await broker.ProvisionAsync(admitted.GatewayId, cancellationToken);
        }

        if (admitted.Replaced.Count > 0)
        {
            await cutOff.RunAsync(admitted.Replaced, new LeaveMesh("Another machine enrolled under this gateway's name."));
        }

        LogEnrolled(log, request.Cluster, request.Gateway, admitted.GatewayId, request.Token.Id);
        return new EnrolmentResource(
            admitted.ClusterId,
            request.Cluster,
            admitted.GatewayId,
            request.Gateway,
            brokerOptions.Value.ForAgents(),
            Sign(request.CertificateRequest, admitted.GatewayId),
            authority.CertificatePem,
            await facts.LoadAsync(cancellationToken));
    }

    sealed record Admitted(string ClusterId, string GatewayId, IReadOnlyList<string> Replaced);

    async Task<T> ProvisionedAsync<T>(string gatewayId, Func<Task<T>> change, CancellationToken cancellationToken)
    {
        try
        {
            await broker.ProvisionAsync(gatewayId, cancellationToken);
            return await change();
        }
        catch
        {
            await TakeBackAsync(gatewayId);
            throw;
        }
    }

    async Task TakeBackAsync(string gatewayId)
    {
        try
        {
            await broker.RevokeAsync(gatewayId, CancellationToken.None);
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            // The reconciler revokes what belongs to no gateway.
            LogNotTakenBack(log, gatewayId, e.Message);
        }
    }

    static async Task<Admitted> AdmitAsync(FactsChange change, string id, EnrolmentRequest request, Caller caller, CancellationToken cancellationToken)
    {
        // Again, now that nobody else can use the token: the mesh row is locked.
        var (token, repeated) = await AdmissionAsync(change.Db, request, change.Now, cancellationToken);
        if (repeated is not null)
        {
            return new Admitted(repeated.ClusterId, repeated.Id, []);
        }

        token.Uses++;
        var cluster = await FactsStore.Clusters(change.Db).SingleOrDefaultAsync(c => c.Name == request.Cluster, cancellationToken);
        if (cluster is null)
        {
            var inventory = request.Inventory ?? new ClusterInventory(ClusterKind.Site, ClusterLocation.Unknown, [], [], [], "", []);
            cluster = await ClusterChanges.CreateAsync(change, request.Cluster, inventory, declared: new Dictionary<string, string>(), advertiseServices: false, caller, "/inventory/podCidrs", cancellationToken);
        }
        else if (request.Inventory is { } inventory)
        {
            var findings = await ClusterChanges.DescribeAsync(change, cluster, inventory, caller.Actor, cancellationToken);
            if (findings.Any(f => f.Severity == Domain.Planning.FindingSeverity.Error))
            {
                throw Refusal.Of(findings, "/inventory/podCidrs");
            }
        }

        // From its first use on, the token is for this cluster.
        token.Cluster = cluster.Name;
        var gateway = new GatewayRequest(id, request.Gateway, request.PublicKey, request.ListenPort, request.Endpoints, request.AgentVersion, token.Id, token.IsStanding) { Node = request.Node, IsLeaf = request.IsLeaf };
        var enrolled = await GatewayChanges.EnrolAsync(change, cluster, gateway, caller, cancellationToken);
        return new Admitted(cluster.Id, enrolled.Row.Id, enrolled.Replaced);
    }

    /// <summary>The token if it admits this request, and the gateway that it admitted before when this is the same request once more.</summary>
    static async Task<(JoinTokenRow Token, GatewayRow? Repeated)> AdmissionAsync(MeshDbContext db, EnrolmentRequest request, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var token = await db.JoinTokens.SingleOrDefaultAsync(t => t.Id == request.Token.Id, cancellationToken);
        // A forged token and an unknown one look the same from outside.
        if (!TokenSecret.Matches(request.Token.Secret, token?.Hash))
        {
            throw Unauthorized("join-token-invalid", "This join token is not valid here. Ask for a new one: mfctl token create");
        }

        var key = request.PublicKey.ToString();
        var repeated = await db.Gateways.Include(g => g.Cluster)
            .SingleOrDefaultAsync(g => g.JoinTokenId == token!.Id && g.PublicKey == key && g.Name == request.Gateway && g.Cluster!.Name == request.Cluster, cancellationToken);
        switch (JoinTokensApi.StateOf(token!, now))
        {
            case "revoked":
                throw Unauthorized("join-token-revoked", "This join token was revoked. Ask for a new one: mfctl token create");
            case "expired":
                throw Unauthorized("join-token-expired", $"This join token expired at {token!.ExpiresAt:u}. Ask for a new one: mfctl token create");
            case "used" when repeated is null:
                throw Unauthorized("join-token-used", $"This join token was used {token!.Uses} of {token.MaxUses} times. Ask for a new one: mfctl token create --max-uses N");
        }

        if (token!.Cluster.Length > 0 && token.Cluster != request.Cluster)
        {
            throw new Refusal(StatusCodes.Status403Forbidden, "join-token-other-cluster", "Not allowed", $"This join token admits gateways to cluster {token.Cluster} only, not to {request.Cluster}.");
        }

        if (token.Cluster.Length == 0 && await db.Clusters.AnyAsync(c => c.Name == request.Cluster, cancellationToken))
        {
            throw new Refusal(StatusCodes.Status403Forbidden, "join-token-new-clusters-only", "Not allowed", $"This join token admits new clusters only, and {request.Cluster} exists. Ask for one of its own: mfctl token create --cluster {request.Cluster}");
        }

        return (token, repeated);
    }

    string Sign(string request, string gatewayId)
    {
        try
        {
            return authority.SignClientCertificate(request, BrokerNames.User(gatewayId));
        }
        catch (FormatException e)
        {
            var errors = new FieldErrors();
            errors.Add("/certificateRequest", e.Message);
            throw errors.ToRefusal();
        }
    }

    static Refusal Unauthorized(string code, string detail) => new(StatusCodes.Status401Unauthorized, code, "Not admitted", detail);

    [LoggerMessage(1601, LogLevel.Information, "Gateway {Cluster}/{Gateway} enrolled as {GatewayId} by join token {TokenId}")]
    static partial void LogEnrolled(ILogger logger, string cluster, string gateway, string gatewayId, string tokenId);

    [LoggerMessage(1602, LogLevel.Warning, "The broker identity {GatewayId} of a failed enrolment could not be taken back yet: {Reason}")]
    static partial void LogNotTakenBack(ILogger logger, string gatewayId, string reason);
}
