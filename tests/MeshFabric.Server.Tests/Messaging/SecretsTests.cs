using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshFabric.Agent.Enrolment;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;
using MeshFabric.Control.Api;
using MeshFabric.Control.Setup;
using MeshFabric.Server.Tests.Control;
using MeshFabric.Server.Tests.Services;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MeshFabric.Server.Tests.Messaging;

/// <summary>A whole enrolment with everything logged; then every secret is looked for wherever it might have gone.</summary>
[Collection(BrokerTests.Name)]
public sealed class SecretsTests(PostgresServer postgres, RabbitServer rabbit)
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_token_key_or_password_is_in_logs_database_dump_answers_or_texts_of_records()
    {
        await using var control = await BrokeredControl.StartAsync(postgres, rabbit, Cancel, LogLevel.Trace);
        var settings = control.Settings;
        var apiToken = await ApiTokenAsync(settings);
        var join = await control.Api.CreateJoinTokenAsync(new CreateJoinToken("aurora", null, 2, null), Cancel);
        Assert.True(JoinToken.TryDecode(join.Status.Token, out var joinToken));
        var state = new AgentStateDirectory(Path.Combine(settings.Folder, "agent"));
        await Enroller.JoinAsync(state, joinToken, new EnrolmentRequest("aurora", "gw1", ["192.0.2.1:51820"], 51820, null, null), Cancel);
        // Refusals are logged too, and must not quote what they refuse.
        await Assert.ThrowsAsync<EnrolmentException>(() => Enroller.JoinAsync(new AgentStateDirectory(state.Directory + "2"), joinToken with { Id = "j-unknown" }, new EnrolmentRequest("aurora", "gw2", [], 51820, null, null), Cancel));
        using var http = settings.Http(settings.AdminToken);
        var secrets = Secrets(settings, state, joinToken, join.Status.Token!, apiToken);

        var logs = string.Join('\n', control.Log.Lines.Select(l => l.Text));
        var dump = await DumpAsync(settings.Database);
        var answers = await AnswersAsync(http);
        var texts = Texts(join, joinToken, apiToken, state, settings);

        // That these are the right places: what is not secret of the same things is in them.
        Assert.Contains(joinToken.Id, logs);
        Assert.Contains(control.Log.Lines, l => l.Level == LogLevel.Trace);
        Assert.Contains(Convert.ToHexStringLower(TokenSecret.Hash(joinToken.Secret)), dump);
        Assert.Contains(joinToken.Id, answers);
        Assert.Contains(state.DeviceKey().ToPublicKey().ToString(), dump);
        foreach (var (what, secret) in secrets)
        {
            foreach (var (where, text) in new[] { ("the logs", logs), ("the database dump", dump), ("an answer", answers), ("the text of a record", texts) })
            {
                Assert.False(text.Contains(secret, StringComparison.OrdinalIgnoreCase), $"{what} is in {where}: ...{Around(text, secret)}...");
            }
        }
    }

    static async Task<string> ApiTokenAsync(ControlSettings settings)
    {
        using var http = settings.Http(settings.AdminToken);
        using var body = new StringContent("""{"name":"ci","role":"viewer"}""", System.Text.Encoding.UTF8, "application/json");
        using var response = await http.PostAsync("/api/v1/api-tokens", body, Cancel);
        return JsonSerializer.Deserialize<ApiTokenResource>(await response.Content.ReadAsStringAsync(Cancel), MeshJson.Options)!.Status.Token!;
    }

    static List<(string What, string Secret)> Secrets(ControlSettings settings, AgentStateDirectory state, JoinToken joinToken, string joinText, string apiToken)
    {
        var deviceKey = File.ReadAllText(state.DeviceKeyFile).Trim();
        var pki = settings.Values["Pki:Directory"]!;
        return
        [
            ("the join token", joinText), ("the join token's secret", joinToken.Secret),
            ("the API token's secret", ApiTokenText.TryParse(apiToken)!.Secret), ("the admin token's secret", ApiTokenText.TryParse(settings.AdminToken)!.Secret),
            ("the device's key", deviceKey), ("the device's key in hex", Convert.ToHexString(Convert.FromBase64String(deviceKey))),
            ("the agent's key", PemBody(state.AgentKeyFile)), ("the CA's key", PemBody(Path.Combine(pki, "ca.key"))), ("the control service's key", PemBody(Path.Combine(pki, "control.key"))),
            ("the broker's password", settings.Values["Broker:Password"]!),
            ("the broker's login", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"{settings.Values["Broker:Username"]}:{settings.Values["Broker:Password"]}"))),
            ("the database's password", new NpgsqlConnectionStringBuilder(settings.Database).Password!),
        ];
    }

    // The middle of a key: its beginning and end are the same for all keys of a kind.
    static string PemBody(string file) => string.Concat(File.ReadLines(file).Where(l => !l.StartsWith('-')))[60..120];

    static string Around(string text, string secret)
    {
        var at = text.IndexOf(secret, StringComparison.OrdinalIgnoreCase);
        return at < 0 ? "" : text[Math.Max(0, at - 120)..at];
    }

    static async Task<string> DumpAsync(string database)
    {
        var connection = new NpgsqlConnectionStringBuilder(database);
        var program = Directory.GetDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin", "pg_dump")).Where(File.Exists).Max(StringComparer.Ordinal)!;
        var start = new ProcessStartInfo(program, ["-h", connection.Host!, "-p", $"{connection.Port}", "-U", connection.Username!, "--inserts", connection.Database!]) { RedirectStandardOutput = true };
        start.Environment["PGPASSWORD"] = connection.Password;
        using var process = Process.Start(start)!;
        var text = await process.StandardOutput.ReadToEndAsync(Cancel);
        await process.WaitForExitAsync(Cancel);
        Assert.Equal(0, process.ExitCode);
        return text;
    }

    /// <summary>Every GET that needs no name, as admin: the answers that give a token out are not among them.</summary>
    static async Task<string> AnswersAsync(HttpClient http)
    {
        var document = JsonNode.Parse(await http.GetStringAsync("/openapi/v1.json", Cancel))!;
        var paths = document["paths"]!.AsObject().Where(p => p.Value!["get"] is not null && !p.Key.Contains('{', StringComparison.Ordinal)).Select(p => p.Key)
            .Concat(["/api/v1/clusters/aurora", "/api/v1/gateways/aurora/gw1", "/api/v1/gateways/aurora/gw1/explanation", "/metrics", "/openapi/v1.json"]).ToList();
        var answers = await Task.WhenAll(paths.Select(p => http.GetStringAsync(p, Cancel)));
        return string.Join('\n', answers);
    }

    static string Texts(JoinTokenResource join, JoinToken joinToken, string apiToken, AgentStateDirectory state, ControlSettings settings)
    {
        var enrolment = new CreateEnrolment(join.Status.Token, "aurora", "gw1", null, null, null, null, null, null);
        var desk = new MeshFabric.Control.Enrolment.EnrolmentRequest(joinToken, "aurora", "gw1", state.DeviceKey().ToPublicKey(), 51820, [], "", "", null);
        var status = new ApiTokenStatus("active", null, apiToken);
        var resource = new ApiTokenResource(join.Metadata, new ApiTokenSpec("viewer", null, ""), status);
        var broker = new BrokerOptions { Password = settings.Values["Broker:Password"]! };
        return string.Join('\n', join, join.Status, joinToken, enrolment, desk, status, resource, ApiTokenText.TryParse(apiToken), state.DeviceKey(), state.ReadIdentity(), broker, new Body<CreateEnrolment>(enrolment),
            new DatabaseOptions { ConnectionString = settings.Database });
    }
}
