using System.Collections.Concurrent;
using System.Text.Json;
using MeshFabric.TestKit;
using PuppeteerSharp;

[assembly: AssemblyFixture(typeof(MeshFabric.Server.Tests.Dashboard.Browser))]

namespace MeshFabric.Server.Tests.Dashboard;

/// <summary>One headless Chromium for the whole run, started when the first test asks for it; each test has a profile of its own in it. No name but this machine's own addresses resolves.</summary>
public sealed class Browser : IAsyncLifetime
{
    const string Program = "/usr/bin/chromium";

    readonly string _directory = Path.Combine(Path.GetTempPath(), "mf-browser-" + Path.GetRandomFileName());
    readonly SemaphoreSlim _starting = new(1, 1);
    IBrowser? _browser;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.CloseAsync();
            await _browser.DisposeAsync();
        }

        // Its children may write to the end.
        await Until.TrueAsync(IsDeleted, TimeSpan.FromSeconds(20), $"{_directory} to be deleted");
        _starting.Dispose();
    }

    bool IsDeleted()
    {
        try
        {
            if (Directory.Exists(_directory))
            {
                Directory.Delete(_directory, recursive: true);
            }

            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    public async Task<Tab> OpenAsync(string url, bool dark = false)
    {
        await _starting.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            // What it and its libraries keep at home is gone with the rest.
            Directory.CreateDirectory(_directory);
            _browser ??= await Puppeteer.LaunchAsync(new LaunchOptions
            {
                ExecutablePath = Program,
                Headless = true,
                Timeout = 120_000,
                UserDataDir = Path.Combine(_directory, "profile"),
                AcceptInsecureCerts = true,
                Env = { ["HOME"] = _directory, ["XDG_CONFIG_HOME"] = _directory, ["XDG_CACHE_HOME"] = _directory, ["XDG_DATA_HOME"] = _directory },
                DefaultViewport = new ViewPortOptions { Width = 1440, Height = 1000 },
                Args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "\"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1\""],
            });
        }
        finally
        {
            _starting.Release();
        }

        var profile = await _browser.CreateBrowserContextAsync();
        var page = await profile.NewPageAsync();
        await page.EmulateMediaFeaturesAsync([new MediaFeatureValue { MediaFeature = MediaFeature.PrefersColorScheme, Value = dark ? "dark" : "light" }, new MediaFeatureValue { MediaFeature = MediaFeature.PrefersReducedMotion, Value = "reduce" }]);
        return new Tab(profile, page, new Uri(url));
    }
}

/// <summary>A page of the dashboard as a person has it before them.</summary>
public sealed class Tab : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly IBrowserContext _profile;
    readonly Uri _server;

    internal Tab(IBrowserContext profile, IPage page, Uri server)
    {
        (_profile, Page, _server) = (profile, page, server);
        page.Request += (_, e) => Asked.Enqueue(new Uri(e.Request.Url));
        page.Console += (_, e) => Said.Enqueue($"{e.Message.Type}: {e.Message.Text}");
        page.Response += (_, e) =>
        {
            if (!e.Response.Ok && (int)e.Response.Status >= 400)
            {
                Said.Enqueue($"{(int)e.Response.Status}: {e.Response.Url}");
            }
        };
        page.PageError += (_, e) => Said.Enqueue($"error: {e.Message}");
    }

    public IPage Page { get; }

    /// <summary>Everything that the page loaded.</summary>
    public ConcurrentQueue<Uri> Asked { get; } = [];

    /// <summary>Its console.</summary>
    public ConcurrentQueue<string> Said { get; } = [];

    public async Task GoAsync(string path) => await Page.GoToAsync(new Uri(_server, path).ToString(), new NavigationOptions { WaitUntil = [WaitUntilNavigation.DOMContentLoaded], Timeout = (int)Patience.TotalMilliseconds });

    /// <summary>Signs in and waits until the first picture is there.</summary>
    public async Task SignInAsync(string token, string path = "/")
    {
        await GoAsync(path);
        await SeesAsync("API token");
        await Page.TypeAsync("#token", token);
        await Page.ClickAsync("form button[type=submit]");
        await Until.TrueAsync(async () => await AskAsync<bool>("!!document.querySelector('.live')"), Patience, () => $"the dashboard's first page; it says {string.Join(" | ", Said)}");
    }

    public Task SeesAsync(string text) => SeesAsync($"document.body.innerText.includes({JsonSerializer.Serialize(text)})", $"'{text}' on the page");

    public async Task SeesAsync(string script, string what)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!await AskAsync<bool>(script))
        {
            if (TimeProvider.System.GetElapsedTime(started) > Patience)
            {
                throw new TimeoutException($"waited {Patience.TotalSeconds:0} s in vain for {what}; there is:\n{await AskAsync<string>("document.body.innerText")}\n{string.Join('\n', Said)}");
            }

            await Task.Delay(100, TestContext.Current.CancellationToken);
        }
    }

    public async Task<T> AskAsync<T>(string script)
    {
        try
        {
            return await Page.EvaluateExpressionAsync<T>(script);
        }
        catch (PuppeteerException)
        {
            // The page is being replaced.
            return default!;
        }
    }

    public Task ClickAsync(string selector) => Page.ClickAsync(selector);

    /// <summary>For people, below artifacts/.</summary>
    public async Task PictureAsync(string name)
    {
        var directory = Path.Combine(MeshFabric.Tests.Repository.Repo.Root, "artifacts", "screenshots");
        Directory.CreateDirectory(directory);
        await Page.ScreenshotAsync(Path.Combine(directory, name + ".png"));
    }

    public async ValueTask DisposeAsync() => await _profile.CloseAsync();
}
