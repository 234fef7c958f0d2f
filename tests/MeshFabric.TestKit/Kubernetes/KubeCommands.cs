namespace MeshFabric.TestKit.Kubernetes;

/// <summary>The command lines of a cluster's servers.</summary>
/// <param name="server">Base URL of the API.</param>
sealed class KubeCommands(PrivateKubeApiOptions options, KubePorts ports, KubeCertificates certificates, string server)
{
    public List<string> Etcd() =>
    [
        "etcd", "--data-dir", Path.Combine(options.Directory, "etcd"), "--unsafe-no-fsync",
        "--listen-client-urls", $"http://127.0.0.1:{ports.Etcd}", "--advertise-client-urls", $"http://127.0.0.1:{ports.Etcd}",
        "--listen-peer-urls", $"http://127.0.0.1:{ports.EtcdPeer}", "--initial-advertise-peer-urls", $"http://127.0.0.1:{ports.EtcdPeer}",
        "--initial-cluster", $"default=http://127.0.0.1:{ports.EtcdPeer}", "--logger", "zap", "--log-level", "warn",
    ];

    public List<string> Server() =>
    [
        KubePrograms.Path("kube-apiserver"), $"--etcd-servers=http://127.0.0.1:{ports.Etcd}", $"--secure-port={ports.Api}",
        $"--tls-cert-file={certificates.Path("apiserver.crt")}", $"--tls-private-key-file={certificates.Path("apiserver.key")}",
        $"--client-ca-file={certificates.Path("ca.crt")}", $"--service-account-key-file={certificates.Path("accounts.pub")}",
        $"--service-account-signing-key-file={certificates.Path("accounts.key")}", "--service-account-issuer=https://kubernetes.default.svc",
        $"--service-cluster-ip-range={options.ServiceCidr}", "--profiling=false", "--v=1", $"--feature-gates=IPv6DualStack={(options.DualStack ? "true" : "false")}", .. options.Kubelets.Count > 0 ? ServerWithKubelets() : ServerAlone(),
    ];

    string[] ServerAlone() => [$"--bind-address={options.Address}", "--authorization-mode=RBAC", "--allow-privileged=true", "--endpoint-reconciler-type=none"];

    // The loopback too: a relay of this machine dials it. Pods of a dead node are moved after 10 s, not after 5 minutes.
    string[] ServerWithKubelets() =>
    [
        "--bind-address=0.0.0.0", $"--advertise-address={options.Address}", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
        $"--kubelet-client-certificate={certificates.Path("apiserver-kubelet.crt")}", $"--kubelet-client-key={certificates.Path("apiserver-kubelet.key")}",
        $"--kubelet-certificate-authority={certificates.Path("ca.crt")}", "--kubelet-preferred-address-types=InternalIP",
        $"--requestheader-client-ca-file={certificates.Path("ca.crt")}", "--requestheader-allowed-names=front-proxy-client", "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        $"--proxy-client-cert-file={certificates.Path("front-proxy.crt")}", $"--proxy-client-key-file={certificates.Path("front-proxy.key")}", "--enable-aggregator-routing=true",
        "--default-not-ready-toleration-seconds=10", "--default-unreachable-toleration-seconds=10",
    ];

    public List<string> Controllers()
    {
        var only = options.Kubelets.Count > 0
            // A dead node is seen after 16 s, not after 40.
            ? new[] { "--node-monitor-period=2s", "--node-monitor-grace-period=16s", $"--flex-volume-plugin-dir={options.Directory}/volume-plugins" }
            : ["--controllers=nodeipam,serviceaccount,serviceaccount-token,namespace"];
        return
        [
            KubePrograms.Path("kube-controller-manager"), $"--kubeconfig={WriteKubeconfig("controller-manager")}", "--leader-elect=false", .. only,
            // Its own user may not touch nodes: every controller has a service account with the role it needs.
            "--use-service-account-credentials=true", $"--service-account-private-key-file={certificates.Path("accounts.key")}", $"--root-ca-file={certificates.Path("ca.crt")}",
            "--allocate-node-cidrs=true", $"--cluster-cidr={options.PodCidr}", $"--service-cluster-ip-range={options.ServiceCidr}",
            "--port=0", $"--secure-port={ports.Controllers}", "--bind-address=127.0.0.1", $"--cert-dir={options.Directory}", "--profiling=false", "--v=1",
        ];
    }

    public List<string> Scheduler() =>
    [
        KubePrograms.Path("kube-scheduler"), $"--kubeconfig={WriteKubeconfig("scheduler")}", "--leader-elect=false",
        "--port=0", "--secure-port=0", "--profiling=false", "--v=1",
    ];

    string WriteKubeconfig(string user)
    {
        var file = Path.Combine(options.Directory, user + ".kubeconfig");
        KubeCertificates.WriteSecret(file, certificates.Kubeconfig(server, user));
        return file;
    }
}
