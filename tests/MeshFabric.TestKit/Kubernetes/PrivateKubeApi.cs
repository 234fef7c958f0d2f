using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using k8s;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>A real Kubernetes API of our own: etcd, kube-apiserver and, for pod CIDRs, kube-controller-manager. Nodes are objects that a test makes, unless kubelets are announced.</summary>
/// <remarks>The processes outlive this one: <see cref="Attach"/> finds them again by their directory.</remarks>
public sealed class PrivateKubeApi
{
    const string StateFile = "kubernetes.json";

    readonly PrivateKubeApiOptions _options;
    readonly KubePorts _ports;
    readonly KubeCertificates _certificates;
    readonly DetachedProcess _etcd;
    readonly DetachedProcess _server;
    readonly DetachedProcess _controllers;
    readonly DetachedProcess _scheduler;

    PrivateKubeApi(PrivateKubeApiOptions options, KubePorts ports)
    {
        _options = options;
        _ports = ports;
        _certificates = new KubeCertificates(Path.Combine(options.Directory, "pki"));
        _etcd = new DetachedProcess("etcd", options.Directory);
        _server = new DetachedProcess("kube-apiserver", options.Directory);
        _controllers = new DetachedProcess("kube-controller-manager", options.Directory);
        _scheduler = new DetachedProcess("kube-scheduler", options.Directory);
    }

    /// <summary>Of the cluster's administrator.</summary>
    public string Kubeconfig => Path.Combine(_options.Directory, "admin.kubeconfig");

    public int Port => _ports.Api;

    /// <summary>Base URL of the API.</summary>
    public string Server => $"https://{new IPEndPoint(_options.Address, _ports.Api)}";

    /// <summary>PEM file of the CA that signed the API server's certificate.</summary>
    public string AuthorityFile => _certificates.Path("ca.crt");

    public int? ServerPid => _server.Pid;

    /// <summary>Starts what does not run yet and waits until the API is ready.</summary>
    /// <exception cref="InvalidOperationException">A program is missing, or did not come up; the message says what to do.</exception>
    public static async Task<PrivateKubeApi> StartAsync(PrivateKubeApiOptions options, CancellationToken cancellationToken)
    {
        var api = Prepare(options);
        await api.StartServersAsync(cancellationToken);
        return api;
    }

    /// <summary>Makes the certificates and the administrator's kubeconfig unless they are there, and starts nothing.</summary>
    /// <exception cref="InvalidOperationException">A program is missing; the message says what to do.</exception>
    public static PrivateKubeApi Prepare(PrivateKubeApiOptions options)
    {
        RequirePrograms(options);
        Directory.CreateDirectory(options.Directory);
        var stateFile = Path.Combine(options.Directory, StateFile);
        if (!File.Exists(stateFile))
        {
            var made = new PrivateKubeApi(options, KubePorts.Take(options.Port));
            made._certificates.Create(options);
            KubeCertificates.WriteSecret(made.Kubeconfig, made.KubeconfigOf("admin"));
            File.WriteAllText(stateFile, JsonSerializer.Serialize(made._ports));
        }

        return Attach(options);
    }

    /// <summary>One that was started before, by this process or another.</summary>
    public static PrivateKubeApi Attach(PrivateKubeApiOptions options) =>
        new(options, JsonSerializer.Deserialize<KubePorts>(File.ReadAllText(Path.Combine(options.Directory, StateFile)))!);

    /// <summary>Text of a kubeconfig of <c>admin</c>, <c>proxy</c> or a kubelet, by the name of its certificate.</summary>
    public string KubeconfigOf(string user, string? server = null) => _certificates.Kubeconfig(server ?? Server, user);

    /// <summary>A PEM file of the cluster: <c>ca.crt</c>, or NAME.crt and NAME.key of a kubelet.</summary>
    public string PkiFile(string name) => _certificates.Path(name);

    /// <summary>Starts etcd, the API server, the controller manager and the scheduler as far as they are wanted and do not run.</summary>
    public async Task StartServersAsync(CancellationToken cancellationToken)
    {
        var commands = new KubeCommands(_options, _ports, _certificates, Server);
        await _etcd.StartAsync(_options.CommandPrefix, commands.Etcd(), cancellationToken);
        await _server.StartAsync(_options.CommandPrefix, commands.Server(), cancellationToken);
        await UntilReadyAsync(cancellationToken);
        if (_options.PodCidr is not null)
        {
            await _controllers.StartAsync(_options.CommandPrefix, commands.Controllers(), cancellationToken);
        }

        if (_options.Kubelets.Count > 0)
        {
            await _scheduler.StartAsync(_options.CommandPrefix, commands.Scheduler(), cancellationToken);
        }
    }

    /// <summary>Ends the API server alone; etcd, and so every object, stays.</summary>
    public Task KillServerAsync(CancellationToken cancellationToken) => _server.StopAsync("KILL", cancellationToken);

    /// <summary>Ends all and removes the directory.</summary>
    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        foreach (var process in new[] { _scheduler, _controllers, _server, _etcd })
        {
            await process.StopAsync("KILL", cancellationToken);
        }

        Directory.Delete(_options.Directory, recursive: true);
    }

    /// <summary>As the cluster's administrator. Reaches the API from this process's own network namespace.</summary>
    public IKubernetes Client() => new k8s.Kubernetes(KubernetesClientConfiguration.BuildConfigFromConfigFile(Kubeconfig));

    /// <summary>Forgets every version before now, as a busy etcd does: an old watch is then answered by 410 Gone.</summary>
    public async Task CompactAsync(CancellationToken cancellationToken)
    {
        // gRPC gateway of etcd 3.4: /v3/kv, JSON with base64 keys.
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_ports.Etcd}") };
        using var range = new StringContent("""{"key":"AA=="}""", new MediaTypeHeaderValue("application/json"));
        using var answer = await http.PostAsync("/v3/kv/range", range, cancellationToken);
        using var document = JsonDocument.Parse(await answer.EnsureSuccessStatusCode().Content.ReadAsStringAsync(cancellationToken));
        var revision = document.RootElement.GetProperty("header").GetProperty("revision").GetString()!;
        using var compaction = new StringContent($$"""{"revision":"{{revision}}","physical":true}""", new MediaTypeHeaderValue("application/json"));
        using var done = await http.PostAsync("/v3/kv/compaction", compaction, cancellationToken);
        done.EnsureSuccessStatusCode();
    }

    async Task UntilReadyAsync(CancellationToken cancellationToken)
    {
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = HttpClientHandler.DangerousAcceptAnyServerCertificateValidator };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(5) };
        var clock = Stopwatch.StartNew();
        while (!await ReadyAsync(http, cancellationToken))
        {
            if (clock.Elapsed > _options.StartLimit)
            {
                throw new InvalidOperationException($"the Kubernetes API in {_options.Directory} is not ready; the ends of its logs:\n{_server.LogTail()}\n{_etcd.LogTail()}");
            }

            await Task.Delay(100, cancellationToken);
        }
    }

    async Task<bool> ReadyAsync(HttpClient http, CancellationToken cancellationToken)
    {
        if (_options.CommandPrefix.Count > 0)
        {
            // Another network namespace: curl goes there, we do not.
            string[] curl = [.. _options.CommandPrefix, "curl", "-sfk", "-m", "5", "-o", "/dev/null", Server + "/readyz"];
            using var process = Process.Start(curl[0], curl[1..]);
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0;
        }

        try
        {
            using var answer = await http.GetAsync(new Uri(Server + "/readyz"), cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or System.Net.Sockets.SocketException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }

    static void RequirePrograms(PrivateKubeApiOptions options)
    {
        string[] programs = ["kube-apiserver", .. options.PodCidr is null ? [] : new[] { "kube-controller-manager" }, .. options.Kubelets.Count == 0 ? [] : new[] { "kube-scheduler", "kubelet", "kube-proxy" }];
        foreach (var path in programs.Select(KubePrograms.Path))
        {
            if (!File.Exists(path))
            {
                throw new InvalidOperationException($"{path} is missing: run 'make kubernetes-binaries' (8 to 20 minutes, once)");
            }
        }

        if (!new[] { "/usr/bin/etcd", "/usr/local/bin/etcd" }.Any(File.Exists))
        {
            throw new InvalidOperationException("etcd is not installed: run deploy/scripts/install-packages.sh kubernetes");
        }
    }
}
