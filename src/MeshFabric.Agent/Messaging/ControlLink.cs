using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using MassTransit;
using MeshFabric.Agent.State;
using MeshFabric.Contracts;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Messaging;

/// <summary>The bus of an agent, under its own broker identity, replaced whenever it does not recover by itself.</summary>
/// <remarks>
/// After one refused login MassTransit never reconnects, and restarting the same bus does not help; its own backoff grows to 30 s.
/// So a watchdog looks whether the broker accepts connections, and makes a new bus as soon as it does.
/// </remarks>
public sealed partial class ControlLink(AgentStateDirectory state, TimeProvider time, ILogger<ControlLink> log) : BackgroundService, IControlLink
{
    static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(5);
    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(15);
    static readonly TimeSpan CheckPeriod = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    volatile IBusControl? _bus;
    AgentIdentity? _identity;

    /// <summary>Set once, before the host starts.</summary>
    public IControlInbox? Inbox { get; set; }

    public bool IsConnected => _bus is { } bus && bus.CheckHealth().Status == BusHealthStatus.Healthy;

    public async Task<bool> SendAsync<T>(T message, CancellationToken cancellationToken) where T : class
    {
        if (_bus is not { } bus || _identity is not { } identity || !IsConnected)
        {
            return false;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(SendLimit);
        try
        {
            var exchange = message is AgentHeartbeat ? BrokerNames.Beat(identity.GatewayId) : BrokerNames.Up(identity.GatewayId);
            var endpoint = await bus.GetSendEndpoint(new Uri($"exchange:{exchange}"));
            await endpoint.Send(message, context => { context.ResponseAddress = null; context.FaultAddress = null; }, limit.Token);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogNotSent(log, typeof(T).Name, e.Message);
            return false;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            if (state.IsEnrolled)
            {
                await TryBusAsync(stoppingToken);
            }

            await Task.Delay(CheckPeriod, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Deleted while the agent leaves, or damaged later: no reason to end what carries traffic.
    async Task TryBusAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RunBusAsync(cancellationToken);
        }
        catch (AgentStateException e)
        {
            LogNoIdentity(log, e.Message);
        }
    }

    // One bus from its start to its loss.
    async Task RunBusAsync(CancellationToken cancellationToken)
    {
        var identity = state.ReadIdentity();
        if (!await AcceptsAsync(identity.Broker, cancellationToken))
        {
            return;
        }

        IBusControl? bus = null;
        try
        {
            bus = Create(identity);
            await StartAsync(bus, cancellationToken);
            _identity = identity;
            _bus = bus;
            LogConnected(log, identity.Broker.Host, identity.Broker.Port);
            await Inbox!.OnConnectedAsync(cancellationToken);
            await WaitForLossAsync(bus, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            LogLost(log, identity.Broker.Host, identity.Broker.Port, e.Message);
            await Inbox!.OnRefusedAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            LogStopping(log);
        }
        finally
        {
            _bus = null;
            if (bus is not null)
            {
                await bus.StopAsync(TimeSpan.FromSeconds(3)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    static async Task StartAsync(IBusControl bus, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(StartLimit);
        try
        {
            await bus.StartAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"no connection within {StartLimit.TotalSeconds} s");
        }
    }

    async Task WaitForLossAsync(IBusControl bus, CancellationToken cancellationToken)
    {
        var healthy = time.GetTimestamp();
        while (time.GetElapsedTime(healthy) < Patience)
        {
            await Task.Delay(CheckPeriod, time, cancellationToken);
            if (bus.CheckHealth().Status == BusHealthStatus.Healthy)
            {
                healthy = time.GetTimestamp();
            }
        }

        LogUnhealthy(log);
    }

    static async Task<bool> AcceptsAsync(BrokerAddress broker, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(3));
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(broker.Host, broker.Port, limit.Token);
            return true;
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            return false;
        }
    }

    IBusControl Create(AgentIdentity identity)
    {
        var authority = X509CertificateLoader.LoadCertificateFromFile(state.BrokerAuthorityFile);
        using var pem = X509Certificate2.CreateFromPemFile(state.AgentCertificateFile, state.AgentKeyFile);
        var certificate = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
        return Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(identity.Broker.Host, (ushort)identity.Broker.Port, identity.Broker.VirtualHost, $"agent-{identity.Cluster}-{identity.Gateway}", host =>
            {
                host.Heartbeat(TimeSpan.FromSeconds(10));
                host.UseSsl(tls =>
                {
                    tls.Protocol = SslProtocols.Tls12 | SslProtocols.Tls13;
                    tls.ServerName = identity.Broker.Host;
                    tls.Certificate = certificate;
                    tls.UseCertificateAsAuthenticationIdentity = true;
                    tls.CertificateValidationCallback = PinnedAuthority.Validate(authority);
                });
            });
            rabbit.ReceiveEndpoint(BrokerNames.Down(identity.GatewayId), endpoint =>
            {
                // The queue belongs to the control service; we only read it.
                endpoint.BindQueue = false;
                endpoint.ConfigureConsumeTopology = false;
                endpoint.PublishFaults = false;
                endpoint.DiscardFaultedMessages();
                endpoint.DiscardSkippedMessages();
                endpoint.PrefetchCount = 8;
                endpoint.ConcurrentMessageLimit = 1;
                endpoint.Handler<FactsChanged>(c => Inbox!.OnFactsChangedAsync(c.Message, c.CancellationToken));
                endpoint.Handler<FactsSnapshot>(c => Inbox!.OnFactsSnapshotAsync(c.Message, c.CancellationToken));
                endpoint.Handler<MeshSecretIssued>(c => Inbox!.OnMeshSecretIssuedAsync(c.Message, c.CancellationToken));
                endpoint.Handler<OfferDeviceKey>(c => Inbox!.OnOfferDeviceKeyAsync(c.Message, c.CancellationToken));
                endpoint.Handler<ProbeTunnels>(c => Inbox!.OnProbeTunnelsAsync(c.Message, c.CancellationToken));
                endpoint.Handler<LeaveMesh>(c => Inbox!.OnLeaveMeshAsync(c.Message, c.CancellationToken));
            });
        });
    }

    [LoggerMessage(4001, LogLevel.Information, "Connected to the control service by {Host}:{Port}")]
    static partial void LogConnected(ILogger logger, string host, int port);

    [LoggerMessage(4002, LogLevel.Warning, "The broker {Host}:{Port} is not usable and will be tried again: {Reason}")]
    static partial void LogLost(ILogger logger, string host, int port, string reason);

    [LoggerMessage(4003, LogLevel.Warning, "The broker was lost; tunnels go on without it")]
    static partial void LogUnhealthy(ILogger logger);

    [LoggerMessage(4006, LogLevel.Warning, "The broker cannot be used: {Reason}")]
    static partial void LogNoIdentity(ILogger logger, string reason);

    [LoggerMessage(4004, LogLevel.Debug, "{Message} was not sent: {Reason}")]
    static partial void LogNotSent(ILogger logger, string message, string reason);

    [LoggerMessage(4005, LogLevel.Debug, "Stopping")]
    static partial void LogStopping(ILogger logger);
}
