using System.Net;
using System.Net.Http.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Control;

public sealed class PagingTests(PostgresServer postgres) : IAsyncLifetime
{
    const int Clusters = 230;

    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _service = await ControlService.StartAsync(postgres, Cancel);
        await PostgresServer.QueryAsync(_service.Database, $"""
            INSERT INTO clusters (id, name, kind, provider, region, zone, labels, service_cidrs, kubernetes_version, nodes, findings, facts_revision, created_at)
            SELECT 'id-' || i, 'c-' || lpad(i::text, 3, '0'), 'Site', '', '', '', jsonb_build_object(), ARRAY[]::cidr[], '', '[]', '[]', 1, now() FROM generate_series(0, {Clusters - 1}) i
            """, Cancel);
        await PostgresServer.QueryAsync(_service.Database, """
            INSERT INTO events (at, type, severity, subject, actor, message) SELECT now(), 'test', 'info', 'x/' || i, 'system', i::text FROM generate_series(1, 230) i
            """, Cancel);
    }

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100)]
    [InlineData(230)]
    [InlineData(500)]
    public async Task Pages_of_any_size_give_every_cluster_once_and_in_order(int limit)
    {
        var names = new List<string>();
        var pages = 0;
        for (string? cursor = null; ; pages++)
        {
            var page = await PageAsync<ClusterResource>($"/api/v1/clusters?limit={limit}{(cursor is null ? "" : $"&cursor={cursor}")}");
            Assert.Equal(Clusters, page.Total);
            Assert.True(page.Items.Count <= limit);
            names.AddRange(page.Items.Select(c => c.Metadata.Name));
            if ((cursor = page.NextCursor) is null)
            {
                break;
            }

            // A test with one cluster a page shows nothing more by reading all of them.
            if (limit == 1 && pages == 20)
            {
                Assert.Equal(Enumerable.Range(0, 21).Select(i => $"c-{i:000}"), names);
                return;
            }
        }

        Assert.Equal(Enumerable.Range(0, Clusters).Select(i => $"c-{i:000}"), names);
        Assert.Equal((Clusters - 1) / limit, pages);
    }

    [Fact]
    public async Task Clusters_that_come_and_go_between_two_pages_neither_repeat_nor_hide_another()
    {
        var first = await PageAsync<ClusterResource>("/api/v1/clusters?limit=10");
        await PostgresServer.QueryAsync(_service.Database, "DELETE FROM clusters WHERE name IN ('c-003', 'c-009', 'c-012')", Cancel);
        await _service.Admin.PostAsJsonAsync("/api/v1/clusters", new CreateCluster("aaa", null, null), MeshJson.Options, Cancel);

        var second = await PageAsync<ClusterResource>($"/api/v1/clusters?limit=10&cursor={first.NextCursor}");

        // c-009, the last of the first page, is gone: its place is still known.
        Assert.Equal(["c-010", "c-011", "c-013", "c-014", "c-015", "c-016", "c-017", "c-018", "c-019", "c-020"], second.Items.Select(c => c.Metadata.Name));
    }

    [Fact]
    public async Task Events_are_paged_by_their_numbers_without_gap_or_repeat()
    {
        await _service.EventsAsync(Cancel);
        var seen = new List<long>();
        for (string? cursor = null; ;)
        {
            var page = await PageAsync<EventResource>($"/api/v1/events?limit=50&subject=x{(cursor is null ? "" : $"&cursor={cursor}")}");
            seen.AddRange(page.Items.Select(e => e.Sequence));
            if ((cursor = page.NextCursor) is null)
            {
                break;
            }
        }

        Assert.Equal(230, seen.Count);
        Assert.Equal(seen.Distinct().Order(), seen);
    }

    [Theory]
    [InlineData("/api/v1/clusters?cursor=%21%21", "cursor")]
    [InlineData("/api/v1/clusters?cursor=a", "cursor")]
    [InlineData("/api/v1/events?cursor=Yy0wMDk", "cursor")]
    [InlineData("/api/v1/clusters?limit=0", "limit")]
    [InlineData("/api/v1/clusters?limit=501", "limit")]
    [InlineData("/api/v1/clusters?limit=-1", "limit")]
    [InlineData("/api/v1/clusters?limit=many", "limit")]
    [InlineData("/api/v1/clusters?limit=99999999999", "limit")]
    [InlineData("/api/v1/clusters?label=nolabel", "label")]
    [InlineData("/api/v1/tunnels?state=fine", "state")]
    [InlineData("/api/v1/tunnels?peer=aurora", "peer")]
    [InlineData("/api/v1/tunnels?cluster=aurora&peer=aurora", "peer")]
    [InlineData("/api/v1/events?severity=grave", "severity")]
    [InlineData("/api/v1/links?state=connected&state=fine", "state")]
    [InlineData("/api/v1/events?wait=26", "wait")]
    [InlineData("/api/v1/events?tail=0", "tail")]
    public async Task A_query_that_cannot_be_used_is_refused_by_the_parameter_s_name(string path, string parameter)
    {
        var refused = await _service.Admin.GetAsync(path, Cancel);

        var problem = (await refused.Content.ReadFromJsonAsync<Problem>(MeshJson.Options, Cancel))!;
        Assert.Equal((HttpStatusCode.BadRequest, "bad-query"), (refused.StatusCode, problem.Code));
        Assert.Contains($"?{parameter}=", problem.Detail);
    }

    [Fact]
    public async Task A_cursor_beyond_the_end_gives_an_empty_last_page()
    {
        var page = await PageAsync<ClusterResource>($"/api/v1/clusters?cursor={MeshFabric.Control.Api.Paging.Encode("zzz")}");

        Assert.Empty(page.Items);
        Assert.Null(page.NextCursor);
    }

    async Task<Page<T>> PageAsync<T>(string path) => (await _service.Admin.GetFromJsonAsync<Page<T>>(path, MeshJson.Options, Cancel))!;
}
