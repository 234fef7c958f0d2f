using MeshFabric.Persistence;
using MeshFabric.Server.Tests.Services;
using Npgsql;

namespace MeshFabric.Server.Tests.Persistence;

/// <summary>What the database itself makes impossible, by raw SQL, whatever the code above it does.</summary>
public sealed class ConstraintTests(PostgresServer postgres) : IAsyncLifetime
{
    string _database = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.MeshDatabaseAsync(Cancel);
        foreach (var name in new[] { "aurora", "borealis" })
        {
            await ExecuteAsync($"""
                INSERT INTO clusters (id, name, kind, provider, region, zone, labels, service_cidrs, kubernetes_version, nodes, findings, facts_revision, created_at)
                VALUES ('{name}', '{name}', 'Site', '', '', '', '[]', ARRAY[]::cidr[], '', '[]', '[]', 1, now())
                """);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    [Theory]
    [InlineData("10.1.0.0/16", "10.1.0.0/16", "the same")]
    [InlineData("10.1.0.0/16", "10.1.128.0/17", "one inside")]
    [InlineData("10.1.0.0/16", "10.0.0.0/8", "one around")]
    [InlineData("fd00:1::/64", "fd00:1:0:0:1::/80", "IPv6")]
    public async Task Two_mesh_prefixes_that_overlap_cannot_both_be_stored(string first, string second, string how)
    {
        await PrefixAsync("aurora", "Primary", first);

        var refused = await Assert.ThrowsAsync<PostgresException>(() => PrefixAsync("borealis", "Primary", second));

        Assert.Equal(PostgresErrorCodes.ExclusionViolation, refused.SqlState);
        Assert.Equal("prefixes_mesh_no_overlap", refused.ConstraintName);
        Assert.NotEmpty(how);
    }

    [Fact]
    public async Task An_alias_cannot_overlap_a_mesh_prefix_either()
    {
        await PrefixAsync("aurora", "Primary", "100.64.0.0/16");

        var refused = await Assert.ThrowsAsync<PostgresException>(() => PrefixAsync("borealis", "Alias", "100.64.7.0/24"));

        Assert.Equal(PostgresErrorCodes.ExclusionViolation, refused.SqlState);
    }

    [Fact]
    public async Task Neighbouring_mesh_prefixes_can_be_stored_and_a_released_one_used_again()
    {
        await PrefixAsync("aurora", "Primary", "10.1.0.0/17");
        await PrefixAsync("borealis", "Primary", "10.1.128.0/17");
        await ExecuteAsync("DELETE FROM clusters WHERE name = 'aurora'");

        await PrefixAsync("borealis", "Primary", "10.1.0.0/17");

        Assert.Equal(2L, await PostgresServer.QueryAsync(_database, "SELECT count(*) FROM prefixes WHERE cluster_id = 'borealis'", Cancel));
    }

    [Fact]
    public async Task Of_sixteen_that_store_overlapping_prefixes_at_once_exactly_one_wins()
    {
        for (var round = 0; round < 5; round++)
        {
            var outcomes = await Task.WhenAll(Enumerable.Range(0, 16).Select(async i =>
            {
                try
                {
                    await PrefixAsync(i % 2 == 0 ? "aurora" : "borealis", "Primary", $"172.16.{round}.0/{24 + i % 3}");
                    return "stored";
                }
                catch (PostgresException e)
                {
                    return e.SqlState;
                }
            }));

            Assert.Single(outcomes, o => o == "stored");
            // Two waiters on each other's rows may also end as a deadlock that the database resolves: refused all the same.
            Assert.All(outcomes.Where(o => o != "stored"), o => Assert.Contains(o, new[] { PostgresErrorCodes.ExclusionViolation, PostgresErrorCodes.DeadlockDetected }));
        }
    }

    [Fact]
    public async Task A_remap_that_changes_the_length_or_family_cannot_be_stored()
    {
        foreach (var mesh in new[] { "100.64.0.0/15", "fd00::/16" })
        {
            var refused = await Assert.ThrowsAsync<PostgresException>(() => PrefixAsync("aurora", "Primary", mesh, local: "10.1.0.0/16"));
            Assert.Equal(PostgresErrorCodes.CheckViolation, refused.SqlState);
        }
    }

    [Fact]
    public async Task Gateways_of_a_cluster_have_numbers_of_their_own_and_all_leaves_the_same()
    {
        await GatewayAsync("gw1", 0);
        await GatewayAsync("node-1", 8);
        await GatewayAsync("node-2", 8);

        Assert.Equal(PostgresErrorCodes.UniqueViolation, (await Assert.ThrowsAsync<PostgresException>(() => GatewayAsync("gw2", 0))).SqlState);
        var refused = await Assert.ThrowsAsync<PostgresException>(() => GatewayAsync("gw3", 9));
        Assert.Equal(PostgresErrorCodes.CheckViolation, refused.SqlState);
        // Nobody is told to try again.
        Assert.True(MeshDatabase.IsFault(refused));

        Task GatewayAsync(string name, int ordinal) => ExecuteAsync($$"""
            INSERT INTO gateways (id, cluster_id, name, ordinal, public_key, listen_port, endpoints, tunnel_addresses, created_at, join_token_id, reachable, agent_version, backend, facts_revision, applied_revision, tunnels_connected, tunnels_wanted, findings)
            VALUES ('{{name}}', 'aurora', '{{name}}', {{ordinal}}, '{{name}}', 51820, '{}', '{}', now(), '', false, '', '', 0, 0, 0, 0, '[]')
            """);
    }

    [Theory]
    [InlineData("UPDATE audit_records SET actor = 'somebody-else'")]
    [InlineData("DELETE FROM audit_records")]
    [InlineData("TRUNCATE audit_records")]
    public async Task Audit_records_cannot_be_changed_or_deleted(string sql)
    {
        await ExecuteAsync("INSERT INTO audit_records (at, actor, action, target, request_id, remote_address) VALUES (now(), 'a', 'b', 'c', 'd', 'e')");

        await Assert.ThrowsAsync<PostgresException>(() => ExecuteAsync(sql));

        Assert.Equal(1L, await PostgresServer.QueryAsync(_database, "SELECT count(*) FROM audit_records WHERE actor = 'a'", Cancel));
    }

    Task PrefixAsync(string cluster, string role, string mesh, string? local = null) =>
        ExecuteAsync($"INSERT INTO prefixes (cluster_id, role, local, mesh) VALUES ('{cluster}', '{role}', '{local ?? mesh}', '{mesh}')");

    Task ExecuteAsync(string sql) => PostgresServer.QueryAsync(_database, sql, Cancel);
}
