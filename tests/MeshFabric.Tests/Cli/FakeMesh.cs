using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Pki;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Tests.Cli;

/// <summary>An HTTPS server on the loopback with a CA of its own that answers as a control service would, from canned objects. A test may replace any answer.</summary>
sealed class FakeMesh : IAsyncDisposable
{
    public const string Token = "mfa_t1_canned";

    static readonly Lazy<(X509Certificate2 Certificate, string Authority)> Pki = new(MakePki);
    readonly WebApplication _app;
    readonly ConcurrentDictionary<string, Func<HttpContext, Answer>> _answers = new();

    FakeMesh(WebApplication app) => _app = app;

    /// <param name="Body">Serialised as the API does; null: none.</param>
    public sealed record Answer(int Status, object? Body);

    public static string Authority => Pki.Value.Authority;

    public Uri Url => new(_app.Urls.First());

    /// <summary>METHOD PATH?QUERY of what was asked, in order.</summary>
    public ConcurrentQueue<string> Requests { get; } = new();

    /// <summary>Bodies of what was sent, in order.</summary>
    public ConcurrentQueue<string> Bodies { get; } = new();

    public static async Task<FakeMesh> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(Pki.Value.Certificate)));
        var mesh = new FakeMesh(builder.Build());
        mesh._app.Run(mesh.AnswerAsync);
        Canned.Serve(mesh);
        await mesh._app.StartAsync();
        return mesh;
    }

    /// <param name="route">METHOD and path below /api/v1, such as <c>GET clusters/aurora</c>.</param>
    public void On(string route, Func<HttpContext, Answer> answer) => _answers[route] = answer;

    public void On(string route, object body) => On(route, _ => new Answer(200, body));

    public void OnList<T>(string route, params T[] items) => On(route, _ => new Answer(200, new Page<T>(items, null, items.Length)));

    public void OnProblem(string route, int status, string code, string detail, IReadOnlyDictionary<string, IReadOnlyList<string>>? errors = null) =>
        On(route, _ => new Answer(status, new Problem($"https://meshfabric.io/problems/{code}", "Refused", status, detail, null, code, "req-1", errors)));

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        path = path.StartsWith(Api.Prefix, StringComparison.Ordinal) ? path[(Api.Prefix.Length + 1)..] : path;
        Requests.Enqueue($"{context.Request.Method} {path}{context.Request.QueryString}");
        using var reader = new StreamReader(context.Request.Body);
        if (await reader.ReadToEndAsync() is { Length: > 0 } body)
        {
            Bodies.Enqueue(body);
        }

        var answer = context.Request.Headers.Authorization != $"Bearer {Token}"
            ? new Answer(401, new Problem("", "Not authenticated", 401, "Send a valid API token.", null, "unauthorized", "req-1", null))
            : _answers.TryGetValue($"{context.Request.Method} {path}", out var found) ? found(context)
            : new Answer(404, new Problem("", "Not found", 404, $"There is no {path.Split('/')[0].TrimEnd('s')} '{path.Split('/')[^1]}'. List what there is: mfctl {path.Split('/')[0].TrimEnd('s')} list", null, "not-found", "req-1", null));
        context.Response.StatusCode = answer.Status;
        if (answer.Body is not null)
        {
            context.Response.ContentType = answer.Status < 400 ? "application/json" : "application/problem+json";
            await context.Response.WriteAsync(answer.Body as string ?? JsonSerializer.Serialize(answer.Body, answer.Body.GetType(), MeshJson.Options));
        }
    }

    static (X509Certificate2, string) MakePki()
    {
        var directory = Directory.CreateTempSubdirectory("mfctl-pki-").FullName;
        PkiDirectory.Create(directory, ["localhost"], [IPAddress.Loopback], TimeProvider.System);
        var certificate = PkiDirectory.Load(directory, PkiDirectory.Control);
        var authority = File.ReadAllText(Path.Combine(directory, PkiDirectory.Authority + ".crt"));
        Directory.Delete(directory, recursive: true);
        return (certificate, authority);
    }
}
