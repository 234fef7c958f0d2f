using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Deque.AxeCore.Commons;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.Server.Tests.Control;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Dashboard;

/// <summary>The dashboard in a real browser, on the real service and database.</summary>
public sealed class DashboardTests(PostgresServer postgres, Browser browser) : IAsyncLifetime
{
    static readonly string[] Pages = ["/", "/?cluster=aurora", "/clusters", "/clusters/aurora", "/links", "/links/aurora/borealis", "/addresses", "/events", "/join", "/no-such-page", "/clusters/nobody"];

    ControlService _service = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _service = await ControlService.StartAsync(postgres, Cancel);

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task Nobody_sees_anything_without_a_token_and_whoever_has_one_is_brought_to_what_was_asked_for()
    {
        await using var tab = await browser.OpenAsync(_service.Url);
        await tab.GoAsync("/clusters?search=x");
        await tab.SeesAsync("location.pathname === '/sign-in'", "the sign-in page");
        await tab.Page.TypeAsync("#token", "mfa_nobody_nothing");
        await tab.ClickAsync("form button[type=submit]");
        await tab.SeesAsync("This is no API token of this mesh");

        await tab.Page.TypeAsync("#token", _service.AdminToken);
        await tab.ClickAsync("form button[type=submit]");
        await tab.SeesAsync("location.pathname + location.search === '/clusters?search=x'", "the page that was asked for");
        await tab.SeesAsync("first-admin · admin");
        Assert.Equal("", await tab.AskAsync<string>("document.cookie"));

        await tab.ClickAsync("button.plain");
        await tab.SeesAsync("location.pathname === '/sign-in'", "the sign-in page");
        await tab.GoAsync("/");
        await tab.SeesAsync("location.pathname === '/sign-in'", "the sign-in page again");
    }

    [Fact]
    public async Task A_session_is_no_way_around_the_API_nor_into_it_from_elsewhere()
    {
        // The API takes no cookie.
        using var client = _service.Client(null);
        client.DefaultRequestHeaders.Add("Cookie", $"__Host-meshfabric-session={_service.AdminToken}");
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync("/api/v1/clusters", Cancel)).StatusCode);

        // Forms of other sites begin and end no session.
        using var handler = new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false, ServerCertificateCustomValidationCallback = (_, _, _, _) => true };
        using var raw = new HttpClient(handler) { BaseAddress = new Uri(_service.Url) };
        foreach (var (path, header, value) in new[] { ("/session", "Sec-Fetch-Site", "cross-site"), ("/session", "Origin", "https://elsewhere.example"), ("/session/end", "Sec-Fetch-Site", "same-site") })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new FormUrlEncodedContent([new("token", _service.AdminToken)]) };
            request.Headers.Add(header, value);
            var answer = await raw.SendAsync(request, Cancel);
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            Assert.False(answer.Headers.Contains("Set-Cookie"));
        }

        // Nor do their sockets reach a page's.
        using (var socket = new HttpRequestMessage(HttpMethod.Get, "/_blazor?id=x"))
        {
            socket.Headers.Add("Origin", "https://elsewhere.example");
            socket.Headers.Add("Cookie", $"__Host-meshfabric-session={_service.AdminToken}");
            Assert.Equal(HttpStatusCode.Forbidden, (await raw.SendAsync(socket, Cancel)).StatusCode);
        }

        // Their own do, and lead to pages of the dashboard only.
        foreach (var (back, to) in new[] { ("/links", "/links"), ("//elsewhere.example", "/"), ("https://elsewhere.example", "/"), ("/\\elsewhere.example", "/"), ("/sign-in", "/") })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/session") { Content = new FormUrlEncodedContent([new("token", _service.AdminToken), new("return", back)]) };
            request.Headers.Add("Sec-Fetch-Site", "same-origin");
            var answer = await raw.SendAsync(request, Cancel);
            Assert.Equal(to, answer.Headers.Location?.ToString());
            var cookie = Assert.Single(answer.Headers.GetValues("Set-Cookie"));
            Assert.StartsWith("__Host-", cookie, StringComparison.Ordinal);
            Assert.Contains("httponly", cookie, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("secure", cookie, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("samesite=lax", cookie, StringComparison.OrdinalIgnoreCase);
        }

        // What cannot be a token is none, whatever is in it.
        foreach (var odd in new[] { "", "a\nb", "ä", new string('x', 300) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/session") { Content = new FormUrlEncodedContent([new("token", odd)]) };
            Assert.Equal("/sign-in?refused=token&return=%2F", (await raw.SendAsync(request, Cancel)).Headers.Location?.ToString());
        }

        using var page = new HttpRequestMessage(HttpMethod.Get, "/sign-in");
        Assert.Contains("frame-ancestors 'none'", (await raw.SendAsync(page, Cancel)).Headers.GetValues("Content-Security-Policy").Single());
    }

    [Fact]
    public async Task The_map_and_the_tables_follow_the_mesh_without_a_reload()
    {
        await using var tab = await browser.OpenAsync(_service.Url);
        await using var mesh = await TwoClustersAsync();
        await tab.SignInAsync(_service.AdminToken);
        await tab.SeesAsync("document.querySelectorAll('.topology .place').length === 2 && !!document.querySelector('.topology .link.state-connected')", "two clusters and a link that is connected");

        mesh.State = TunnelState.Down;
        await tab.SeesAsync("!!document.querySelector('.topology .link.state-down')", "a link that is down");
        await tab.SeesAsync("tunnel-down");

        // By keyboard alone: the cluster is chosen, the address says so, its side panel has its links, and one goes on to the next.
        await tab.Page.FocusAsync(".topology .place[data-cluster=borealis]");
        await tab.Page.Keyboard.PressAsync("Enter");
        await tab.SeesAsync("location.search === '?cluster=borealis' && document.querySelector('.side h2').innerText === 'borealis'", "borealis in the side panel");
        await tab.Page.FocusAsync(".topology .place[data-cluster=borealis]");
        await tab.Page.Keyboard.PressAsync("Tab");
        Assert.Equal("aurora", await tab.AskAsync<string>("document.activeElement.dataset.cluster"));
        mesh.State = TunnelState.Connected;
        await tab.SeesAsync("!!document.querySelector('.side .state-connected') && !!document.querySelector('.topology .link.state-connected')", "the link connected again");

        // A picture that is held stays as it is, though the API tells another state since long.
        await tab.ClickAsync(".live");
        await tab.SeesAsync("paused");
        var held = await tab.AskAsync<string>("document.querySelector('.live').innerText");
        mesh.State = TunnelState.Down;
        await Until.TrueAsync(async () => (await _service.Admin.GetFromJsonAsync<Page<LinkResource>>("/api/v1/links", MeshJson.Options, Cancel))!.Items.Single().State == "down", TimeSpan.FromSeconds(30), "the API to tell that the link is down", Cancel);
        await using (var other = await browser.OpenAsync(_service.Url))
        {
            await other.SignInAsync(_service.AdminToken);
            await other.SeesAsync("!!document.querySelector('.topology .link.state-down')", "the present picture, by somebody else");
        }

        Assert.True(await tab.AskAsync<bool>("!!document.querySelector('.topology .link.state-connected')"), "the picture was not held");
        Assert.Equal(held, await tab.AskAsync<string>("document.querySelector('.live').innerText"));
        await tab.ClickAsync(".live");
        await tab.SeesAsync("!!document.querySelector('.topology .link.state-down')", "the present picture");
        await tab.PictureAsync("mesh");
    }

    [Fact]
    public async Task A_cluster_is_told_by_three_facts_and_by_all_that_is_found_of_it()
    {
        await using var tab = await browser.OpenAsync(_service.Url);
        await using var mesh = await TwoClustersAsync();
        await tab.SignInAsync(_service.AdminToken, "/clusters/aurora");
        foreach (var text in new[] { "canal vxlan 3.30.1", "DaemonSet kube-system/canal", "calico", "kube-proxy nftables", "10.10.0.0/16", "192.0.2.1:51820", "masquerades-mesh", "n1", "v1.36.2" })
        {
            await tab.SeesAsync(text);
        }

        await tab.PictureAsync("cluster");
        await tab.GoAsync("/clusters?search=canal");
        await tab.SeesAsync("1 of 2");
        await tab.GoAsync("/links/aurora/borealis");
        await tab.SeesAsync("aurora/gw1");
        await tab.SeesAsync("1420");
        await tab.PictureAsync("link");

        // Whoever was sent an address is not made to copy what stands in it.
        await tab.GoAsync("/links/x;curl%20elsewhere.example|sh/borealis");
        await tab.SeesAsync("They have no tunnels");
        Assert.DoesNotContain("mfctl", await tab.AskAsync<string>("document.querySelector('#content').innerText"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_view_is_accessible_and_of_this_service_alone_light_and_dark()
    {
        await using var mesh = await TwoClustersAsync();
        var found = new List<string>();
        foreach (var dark in new[] { false, true })
        {
            await using var tab = await browser.OpenAsync(_service.Url, dark);
            await tab.SignInAsync(_service.AdminToken);
            foreach (var path in Pages)
            {
                await tab.GoAsync(path);
                await tab.SeesAsync("!!document.querySelector('h1') && !!document.querySelector('.live') && !document.querySelector('#content > .mud-progress-linear')", $"{path}, drawn");
                await tab.SeesAsync(dark ? "getComputedStyle(document.querySelector('.mud-main-content').closest('.mud-layout')).color !== '' && getComputedStyle(document.documentElement).getPropertyValue('--mud-palette-background').includes('18,21,28')" : "true", "dark colours");
                found.AddRange(await ViolationsAsync(tab, $"{path}, {(dark ? "dark" : "light")}"));
                await tab.PictureAsync($"{(dark ? "dark" : "light")}{path.Replace('/', '-').Replace('?', '-')}");
            }

            Assert.All(tab.Asked, asked => Assert.True(asked.Scheme is "data" or "blob" || asked.Authority == new Uri(_service.Url).Authority, $"asked {asked}"));
            Assert.DoesNotContain(tab.Said, said => said.StartsWith("error", StringComparison.OrdinalIgnoreCase) && !said.Contains("404", StringComparison.Ordinal));
        }

        await using var outside = await browser.OpenAsync(_service.Url);
        await outside.GoAsync("/sign-in");
        found.AddRange(await ViolationsAsync(outside, "/sign-in"));
        await outside.PictureAsync("sign-in");
        Assert.True(found.Count == 0, string.Join('\n', found));
    }

    [Fact]
    public async Task The_dashboard_lets_a_token_do_what_its_role_lets_it_and_ends_with_it()
    {
        var made = await (await _service.Admin.PostAsJsonAsync("/api/v1/api-tokens", new CreateApiToken("watcher", "viewer", null, null), MeshJson.Options, Cancel)).Content.ReadFromJsonAsync<ApiTokenResource>(MeshJson.Options, Cancel);
        await using var viewer = await browser.OpenAsync(_service.Url);
        await viewer.SignInAsync(made!.Status.Token!, "/join");
        await ChooseHostsAsync(viewer, "cirrus");
        await viewer.ClickAsync(".form .mud-button-filled");
        await viewer.SeesAsync("!!document.querySelector('.form [role=alert]')", "the API's refusal");

        await using var admin = await browser.OpenAsync(_service.Url);
        await admin.SignInAsync(_service.AdminToken, "/join");
        await ChooseHostsAsync(admin, "cirrus");
        await admin.ClickAsync(".form .mud-button-filled");
        await admin.SeesAsync("document.querySelectorAll('.form pre').length === 2", "the token and the commands");
        var token = await admin.AskAsync<string>("document.querySelector('.form pre').innerText");
        var enrolled = await _service.EnrolAsync(token.Trim(), "cirrus", "gw1", "10.30.0.0/16", Cancel);
        Assert.True(enrolled.StatusCode == HttpStatusCode.Created, await enrolled.Content.ReadAsStringAsync(Cancel));
        await admin.SeesAsync("document.querySelectorAll('.steps .done').length >= 3", "the cluster on its way");
        await admin.PictureAsync("join");

        Assert.Equal(HttpStatusCode.NoContent, (await _service.Admin.DeleteAsync("/api/v1/api-tokens/watcher", Cancel)).StatusCode);
        await viewer.SeesAsync("location.pathname === '/sign-in'", "the sign-in page, for the token was revoked");
    }

    [Fact]
    public async Task Three_hundred_clusters_have_their_places_on_the_map_and_the_links_of_the_chosen_one()
    {
        string[] providers = ["aws", "azure", "gcp", "on-premises"];
        for (var i = 0; i < 300; i++)
        {
            var spec = new CreateClusterSpec("site", providers[i % 4], $"region-{i % 12:00}", null, [$"10.{i / 256}.{i % 256}.0/24"], []);
            (await _service.Admin.PostAsJsonAsync("/api/v1/clusters", new CreateCluster($"cluster-{i:000}", null, spec), MeshJson.Options, Cancel)).EnsureSuccessStatusCode();
        }

        await using var tab = await browser.OpenAsync(_service.Url);
        await using var mesh = await TwoClustersAsync();
        await tab.SignInAsync(_service.AdminToken, "/?cluster=aurora");
        await tab.SeesAsync("document.querySelectorAll('.topology .place').length === 302 && document.querySelectorAll('.topology .link').length === 1", "302 clusters, and the one link of aurora");
        await tab.PictureAsync("mesh-300");
        Assert.Empty(await ViolationsAsync(tab, "302 clusters"));
    }

    static async Task ChooseHostsAsync(Tab tab, string name)
    {
        await tab.SeesAsync("document.querySelectorAll('.form input[type=radio]').length === 2", "the form");
        await tab.Page.EvaluateExpressionAsync("document.querySelectorAll('.form input[type=radio]')[1].click()");
        await tab.Page.TypeAsync("#name", name);
        await tab.SeesAsync("!!document.querySelector('.form .mud-button-filled')", "the button that makes a token");
    }

    /// <summary>What axe-core finds against WCAG 2.2, A and AA.</summary>
    static async Task<IReadOnlyList<string>> ViolationsAsync(Tab tab, string what)
    {
        await tab.Page.EvaluateExpressionAsync(new BundledAxeScriptProvider().GetScript());
        var found = await tab.Page.EvaluateExpressionAsync<string[]>(
            "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then(r => r.violations.map(v => `${v.id}: ${v.nodes.map(n => n.html.slice(0, 160) + ' -- ' + n.failureSummary).join('; ')}`))");
        return [.. found.Select(f => $"{what}: {f}")];
    }

    /// <summary>Two clusters that report as they are told, until that is disposed of: who is not heard of for 45 s is taken for gone.</summary>
    async Task<TwoClusters> TwoClustersAsync()
    {
        foreach (var (cluster, cidr) in new[] { ("aurora", "10.10.0.0/16"), ("borealis", "10.20.0.0/16") })
        {
            Assert.Equal(HttpStatusCode.Created, (await _service.EnrolAsync(await _service.JoinTokenAsync(null, 1, Cancel), cluster, "gw1", cidr, Cancel)).StatusCode);
        }

        var (aurora, borealis) = (await GatewayAsync("aurora"), await GatewayAsync("borealis"));
        var networking = new ClusterNetworking(
            new DataPath(CniPlugin.Canal, "vxlan", "3.30.1", "kube-system", "DaemonSet kube-system/canal"), new PolicyEngine("calico", "DaemonSet kube-system/canal"), new ServiceProxy("kube-proxy", "nftables", [Cidr.Parse("10.10.0.0/16")], "ConfigMap kube-system/kube-proxy"),
            "ConfigMap kube-system/canal-config", "ServiceCIDR kubernetes", [new Finding(FindingSeverity.Warning, "masquerades-mesh", "networking", "The plug-in masquerades what leaves the cluster.", "Nothing is to be done: mesh traffic is exempt.")]);
        var inventory = new ClusterInventory(ClusterKind.Kubernetes, new ClusterLocation("aws", "eu-west-1", "a"), [new("env", "test")], [Cidr.Parse("10.10.0.0/16")], [Cidr.Parse("10.96.0.0/16")], "v1.36.2", [new NodeInventory("n1", true, ["192.0.2.1"], [Cidr.Parse("10.10.0.0/24")], "a", "v1.36.2")]) { Networking = networking };
        await _service.Inbox.OnInventoryReportedAsync(aurora, new InventoryReported(inventory), Cancel);
        return new TwoClusters(_service, aurora, borealis);
    }

    async Task<string> GatewayAsync(string cluster) => (string)(await PostgresServer.QueryAsync(_service.Database, $"SELECT g.id FROM gateways g JOIN clusters c ON c.id = g.cluster_id WHERE c.name = '{cluster}'", Cancel))!;

    sealed class TwoClusters : IAsyncDisposable
    {
        readonly CancellationTokenSource _stop = new();
        readonly Task _reporting;

        public TwoClusters(ControlService service, string aurora, string borealis) => _reporting = ReportAsync(service, aurora, borealis);

        /// <summary>Of their tunnel.</summary>
        public TunnelState State { get; set; } = TunnelState.Connected;

        async Task ReportAsync(ControlService service, string aurora, string borealis)
        {
            while (!_stop.IsCancellationRequested)
            {
                foreach (var (gateway, peer) in new[] { (aurora, "borealis"), (borealis, "aurora") })
                {
                    var tunnel = new TunnelReport("mf0", peer, "gw1", State, UdpEndpoint.Parse("192.0.2.1:51820"), DateTimeOffset.UtcNow, 0.0123, 0, 4096, 8192) { MtuBytes = 1420, JitterSeconds = 0.0004 };
                    await service.Inbox.OnGatewayReportedAsync(gateway, new GatewayReported("test", "kernel", 1, 1, true, [tunnel], [], null), CancellationToken.None);
                }

                await Task.Delay(250, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await _reporting;
            _stop.Dispose();
        }
    }
}
