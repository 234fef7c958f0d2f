using System.Net.Http.Json;
using System.Security.Cryptography.X509Certificates;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Meshing;
using MeshFabric.Control.Setup;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit.Services;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Server.Tests.Control;

/// <summary>The real control service on the real PostgreSQL and RabbitMQ, in this process; nothing is replaced.</summary>
public sealed class BrokeredControl : IAsyncDisposable
{
    readonly WebApplication _app;

    BrokeredControl(WebApplication app, ControlSettings settings, LogCapture log)
    {
        _app = app;
        Settings = settings;
        Log = log;
        Api = settings.Client();
    }

    public BrokerReconciler Reconciler => _app.Services.GetRequiredService<BrokerReconciler>();

    public ControlSettings Settings { get; }
    public LogCapture Log { get; }

    /// <summary>As the first admin.</summary>
    public MeshClient Api { get; }

    public IServiceProvider Services => _app.Services;

    public static async Task<BrokeredControl> StartAsync(PostgresServer postgres, RabbitServer rabbit, CancellationToken cancellationToken, LogLevel level = LogLevel.Information)
    {
        var settings = await ControlSettings.MakeAsync(await postgres.MeshDatabaseAsync(cancellationToken), rabbit, cancellationToken);
        var log = new LogCapture();
        var app = ControlHost.Build(
            configuration => configuration.AddInMemoryCollection(settings.Values.Concat(
                new[] { "Default", "Microsoft", "System.Net.Http", "MassTransit" }.Where(c => level < LogLevel.Information || c == "Default")
                    .Select(c => new KeyValuePair<string, string?>($"Logging:LogLevel:{c}", level.ToString())))
                // What is captured need not be printed as well.
                .Append(new("Logging:Console:LogLevel:Default", level < LogLevel.Information ? "None" : "Information"))),
            services => services.AddSingleton<ILoggerProvider>(log));
        await app.StartAsync(cancellationToken);
        return new BrokeredControl(app, settings, log);
    }

    public async ValueTask DisposeAsync()
    {
        Api.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        await Settings.DisposeAsync();
    }
}

/// <summary>Where a control service under test listens and what it uses; outlives its restarts.</summary>
public sealed class ControlSettings : IAsyncDisposable
{
    readonly string _directory = Directory.CreateTempSubdirectory("mf-control-").FullName;
    readonly RabbitServer _rabbit;

    ControlSettings(string database, string virtualHost, RabbitServer rabbit)
    {
        _rabbit = rabbit;
        Database = database;
        VirtualHost = virtualHost;
        Url = new Uri($"https://127.0.0.1:{FreePorts.Take(1)[0]}");
        Values = new Dictionary<string, string?>
        {
            ["Database:ConnectionString"] = database,
            ["Broker:Host"] = "127.0.0.1",
            ["Broker:Port"] = $"{rabbit.Server.Port}",
            ["Broker:VirtualHost"] = virtualHost,
            ["Broker:ManagementUrl"] = rabbit.Server.ManagementUrl.ToString(),
            ["Broker:Username"] = rabbit.Server.Username,
            ["Broker:Password"] = rabbit.Server.Password,
            ["Pki:Directory"] = rabbit.Pki,
            ["Api:Listen"] = Url.ToString(),
            ["Api:PublicUrl"] = Url.ToString().TrimEnd('/'),
            ["Bootstrap:AdminTokenFile"] = Path.Combine(_directory, "admin.token"),
        };
    }

    public Uri Url { get; }
    public string Database { get; }
    public string VirtualHost { get; }
    public IReadOnlyDictionary<string, string?> Values { get; }

    /// <summary>For files of a test; deleted with this.</summary>
    public string Folder => _directory;

    public string AdminToken => File.ReadAllText(Path.Combine(_directory, "admin.token")).Trim();

    public string AuthorityFile => Path.Combine(_rabbit.Pki, "ca.crt");

    public static async Task<ControlSettings> MakeAsync(string database, RabbitServer rabbit, CancellationToken cancellationToken) =>
        new(database, await rabbit.VirtualHostAsync(cancellationToken), rabbit);

    public MeshClient Client() => new(Url, File.ReadAllText(AuthorityFile), AdminToken);

    /// <summary>For what the typed client cannot do: requests of any form, answers of any kind.</summary>
    public HttpClient Http(string? token)
    {
        var authority = X509CertificateLoader.LoadCertificateFromFile(AuthorityFile);
        var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = PinnedAuthority.Validate(authority);
        var http = new HttpClient(handler) { BaseAddress = Url, Timeout = TimeSpan.FromSeconds(120) };
        http.DefaultRequestHeaders.Authorization = token is null ? null : new("Bearer", token);
        return http;
    }

    public async ValueTask DisposeAsync()
    {
        // The next test's broker has fewer queues to recover after a crash.
        if (_rabbit.Server.Pid is not null)
        {
            await _rabbit.Server.DeleteVirtualHostAsync(VirtualHost, CancellationToken.None);
        }

        Directory.Delete(_directory, recursive: true);
    }
}
