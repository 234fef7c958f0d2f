using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using k8s;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>A real Kubernetes API of our own: etcd, kube-apiserver and, for pod CIDRs, kube-controller-manager; no kubelet, so nodes are objects that a test makes.</summary>
/// <remarks>The processes outlive this one: <see cref="Attach"/> finds them again by their directory.</remarks>
public sealed class PrivateKubeApi
{
    const string StateFile = "kubernetes.json";

    readonly PrivateKubeApiOptions _options;
    readonly Ports _ports;
    readonly KubeCertificates _certificates;
    readonly DetachedProcess _etcd;
    readonly DetachedProcess _server;
    readonly DetachedProcess _controllers;

    PrivateKubeApi(PrivateKubeApiOptions options, Ports ports)
    {
        _options = options;
        _ports = ports;
        _certificates = new KubeCertificates(Path.Combine(options.Directory, "pki"));
        _etcd = new DetachedProcess("etcd", options.Directory);
        _server = new DetachedProcess("kube-apiserver", options.Directory);
        _controllers = new DetachedProcess("kube-controller-manager", options.Directory);
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
        RequirePrograms(options.PodCidr is not null);
        Directory.CreateDirectory(options.Directory);
        var stateFile = Path.Combine(options.Directory, StateFile);
        if (!File.Exists(stateFile))
        {
            var made = new PrivateKubeApi(options, Ports.Take(options.Port));
            made._certificates.Create(options.Address);
            KubeCertificates.WriteSecret(made.Kubeconfig, made._certificates.Kubeconfig(made.Server, "admin"));
            await File.WriteAllTextAsync(stateFile, JsonSerializer.Serialize(made._ports), cancellationToken);
        }

        var api = Attach(options);
        await api.StartServersAsync(cancellationToken);
        return api;
    }

    /// <summary>One that was started before, by this process or another.</summary>
    public static PrivateKubeApi Attach(PrivateKubeApiOptions options) =>
        new(options, JsonSerializer.Deserialize<Ports>(File.ReadAllText(Path.Combine(options.Directory, StateFile)))!);

    /// <summary>Starts etcd, the API server and the controller manager as far as they do not run.</summary>
    public async Task StartServersAsync(CancellationToken cancellationToken)
    {
        await _etcd.StartAsync(_options.CommandPrefix, EtcdCommand(), cancellationToken);
        await _server.StartAsync(_options.CommandPrefix, ServerCommand(), cancellationToken);
        await UntilReadyAsync(cancellationToken);
        if (_options.PodCidr is not null)
        {
            await _controllers.StartAsync(_options.CommandPrefix, ControllersCommand(), cancellationToken);
        }
    }

    /// <summary>Ends the API server alone; etcd, and so every object, stays.</summary>
    public Task KillServerAsync(CancellationToken cancellationToken) => _server.StopAsync("KILL", cancellationToken);

    /// <summary>Ends all and removes the directory.</summary>
    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        foreach (var process in new[] { _controllers, _server, _etcd })
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

    List<string> EtcdCommand() =>
    [
        "etcd", "--data-dir", Path.Combine(_options.Directory, "etcd"), "--unsafe-no-fsync",
        "--listen-client-urls", $"http://127.0.0.1:{_ports.Etcd}", "--advertise-client-urls", $"http://127.0.0.1:{_ports.Etcd}",
        "--listen-peer-urls", $"http://127.0.0.1:{_ports.EtcdPeer}", "--initial-advertise-peer-urls", $"http://127.0.0.1:{_ports.EtcdPeer}",
        "--initial-cluster", $"default=http://127.0.0.1:{_ports.EtcdPeer}", "--logger", "zap", "--log-level", "warn",
    ];

    List<string> ServerCommand() =>
    [
        Program("kube-apiserver"), $"--etcd-servers=http://127.0.0.1:{_ports.Etcd}", $"--bind-address={_options.Address}", $"--secure-port={_ports.Api}",
        $"--tls-cert-file={_certificates.Path("apiserver.crt")}", $"--tls-private-key-file={_certificates.Path("apiserver.key")}",
        $"--client-ca-file={_certificates.Path("ca.crt")}", $"--service-account-key-file={_certificates.Path("accounts.pub")}",
        $"--service-account-signing-key-file={_certificates.Path("accounts.key")}", "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=RBAC", $"--service-cluster-ip-range={_options.ServiceCidr}", "--endpoint-reconciler-type=none", "--profiling=false", "--v=1",
    ];

    List<string> ControllersCommand()
    {
        var kubeconfig = Path.Combine(_options.Directory, "controller-manager.kubeconfig");
        KubeCertificates.WriteSecret(kubeconfig, _certificates.Kubeconfig(Server, "controller-manager"));
        return
        [
            Program("kube-controller-manager"), $"--kubeconfig={kubeconfig}", "--leader-elect=false", "--controllers=nodeipam,serviceaccount,serviceaccount-token,namespace",
            // Its own user may not touch nodes: every controller has a service account with the role it needs.
            "--use-service-account-credentials=true", $"--service-account-private-key-file={_certificates.Path("accounts.key")}", $"--root-ca-file={_certificates.Path("ca.crt")}",
            "--allocate-node-cidrs=true", $"--cluster-cidr={_options.PodCidr}", $"--service-cluster-ip-range={_options.ServiceCidr}",
            "--port=0", $"--secure-port={_ports.Controllers}", "--bind-address=127.0.0.1", $"--cert-dir={_options.Directory}", "--profiling=false", "--v=1",
        ];
    }

    static string Program(string name) =>
        Path.Combine(
            Environment.GetEnvironmentVariable("MESHFABRIC_CACHE") is { Length: > 0 } cache ? cache : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache", "meshfabric"),
            "kubernetes", "bin", name);

    static void RequirePrograms(bool controllers)
    {
        foreach (var path in controllers ? [Program("kube-apiserver"), Program("kube-controller-manager")] : new[] { Program("kube-apiserver") })
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

    sealed record Ports(int Api, int Etcd, int EtcdPeer, int Controllers)
    {
        public static Ports Take(int api)
        {
            // All are held at once, so that no two are the same.
            var listeners = Enumerable.Range(0, 4).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
            listeners.ForEach(l => l.Start());
            var free = listeners.ConvertAll(l => ((IPEndPoint)l.LocalEndpoint).Port);
            listeners.ForEach(l => l.Dispose());
            return new Ports(api > 0 ? api : free[0], free[1], free[2], free[3]);
        }
    }
}
