using System.CommandLine;
using MeshFabric.Schema;
using Npgsql;

var connection = new Option<string?>("--connection-string", "-c") { Description = $"Npgsql connection string, without a password, for others can read it (default: {ConnectionSource.Variable})" };
var config = new Option<FileInfo?>("--config") { Description = "The control service's JSON configuration file, for its Database:ConnectionString" };

var apply = new Command("apply", "Apply pending schema changes; safe to repeat and to run by several processes at once") { connection, config };
apply.SetAction((result, cancellationToken) => RunAsync(async text =>
{
    var changes = await SchemaChanges.ApplyAsync(text, c => Console.WriteLine($"applying {c}"), cancellationToken);
    Console.WriteLine(changes.Count == 0 ? "schema is up to date" : $"applied {changes.Count} schema change(s)");
    return 0;
}, result));

var status = new Command("status", "List applied and pending schema changes; exit code 1 when some are pending") { connection, config };
status.SetAction((result, cancellationToken) => RunAsync(async text =>
{
    var (applied, pending) = await SchemaChanges.StatusAsync(text, cancellationToken);
    foreach (var name in applied)
    {
        Console.WriteLine($"applied  {name}");
    }

    foreach (var name in pending)
    {
        Console.WriteLine($"pending  {name}");
    }

    return pending.Count == 0 ? 0 : 1;
}, result));

var script = new Command("script", "Print all changes as idempotent SQL");
script.SetAction(_ => Console.Write(SchemaChanges.Script("Host=localhost")));

return await new RootCommand("Applies MeshFabric's database schema changes.\n\nExamples:\n  meshfabric-schema apply --config /etc/meshfabric/control.json\n  meshfabric-schema status -c 'Host=/run/postgresql;Username=meshfabric;Database=meshfabric'")
{
    apply, status, script,
}.Parse(args).InvokeAsync();

async Task<int> RunAsync(Func<string, Task<int>> action, ParseResult result)
{
    try
    {
        var text = ConnectionSource.Find(result.GetValue(connection), result.GetValue(config), Environment.GetEnvironmentVariable);
        if (string.IsNullOrWhiteSpace(text))
        {
            await Console.Error.WriteLineAsync($"meshfabric-schema: no database: give --config or --connection-string, or set {ConnectionSource.Variable}");
            return 2;
        }

        return await action(text);
    }
    catch (Exception e) when (e is NpgsqlException or ArgumentException or FormatException or IOException or UnauthorizedAccessException)
    {
        // Npgsql's messages name host and port and never the password.
        await Console.Error.WriteLineAsync($"meshfabric-schema: {e.Message}{(e.InnerException is { } inner ? $" ({inner.Message})" : "")}");
        return 1;
    }
}
