using System.CommandLine;
using MeshFabric.Schema;
using Npgsql;

var connection = new Option<string>("--connection-string", "-c")
{
    Description = "Npgsql connection string (default: MESHFABRIC_Database__ConnectionString)",
    DefaultValueFactory = _ => Environment.GetEnvironmentVariable("MESHFABRIC_Database__ConnectionString") ?? "",
};

var apply = new Command("apply", "Apply pending schema changes; safe to repeat and to run by several processes at once") { connection };
apply.SetAction((result, cancellationToken) => RunAsync(async text =>
{
    var changes = await SchemaChanges.ApplyAsync(text, c => Console.WriteLine($"applying {c}"), cancellationToken);
    Console.WriteLine(changes.Count == 0 ? "schema is up to date" : $"applied {changes.Count} schema change(s)");
    return 0;
}, result.GetValue(connection)));

var status = new Command("status", "List applied and pending schema changes; exit code 1 when some are pending") { connection };
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
}, result.GetValue(connection)));

var script = new Command("script", "Print all changes as idempotent SQL");
script.SetAction(_ => Console.Write(SchemaChanges.Script("Host=localhost")));

return await new RootCommand("Applies MeshFabric's database schema changes.\n\nExamples:\n  meshfabric-schema apply -c 'Host=db;Username=meshfabric;Password=...;Database=meshfabric'\n  meshfabric-schema status")
{
    apply, status, script,
}.Parse(args).InvokeAsync();

static async Task<int> RunAsync(Func<string, Task<int>> action, string? connectionString)
{
    if (string.IsNullOrWhiteSpace(connectionString))
    {
        await Console.Error.WriteLineAsync("meshfabric-schema: no database: give --connection-string or set MESHFABRIC_Database__ConnectionString");
        return 2;
    }

    try
    {
        return await action(connectionString);
    }
    catch (Exception e) when (e is NpgsqlException or ArgumentException)
    {
        // Npgsql's messages name host and port and never the password.
        await Console.Error.WriteLineAsync($"meshfabric-schema: {e.Message}{(e.InnerException is { } inner ? $" ({inner.Message})" : "")}");
        return 1;
    }
}
