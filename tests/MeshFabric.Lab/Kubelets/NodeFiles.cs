using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Kubelets;

/// <summary>Configuration of a node's programs.</summary>
static class NodeFiles
{
    /// <summary>CNI plug-ins, where Debian has them.</summary>
    public const string Plugins = "/usr/lib/cni";

    /// <remarks>restrict_oom_score_adj: runc may not lower a score without CAP_SYS_RESOURCE, and every sandbox would fail. A snapshotter that is not there is not looked for.</remarks>
    public static string Containerd(string directory) => $"""
        version = 2
        root = "{directory}/disk/containerd"
        state = "/run/containerd"
        disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp"]
        [grpc]
        address = "/run/containerd/containerd.sock"
        [plugins."io.containerd.grpc.v1.cri"]
        sandbox_image = "{KubeImages.Pause}"
        disable_apparmor = true
        restrict_oom_score_adj = true
        netns_mounts_under_state_dir = true
        [plugins."io.containerd.grpc.v1.cri".containerd]
        snapshotter = "overlayfs"
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
        runtime_type = "io.containerd.runc.v2"
        [plugins."io.containerd.grpc.v1.cri".cni]
        bin_dir = "{Plugins}"
        conf_dir = "/etc/cni/net.d"

        """;

    public static string Cni(ClusterTopology cluster, int node)
    {
        var kind = cluster.Spec.PointToPoint
            ? "\"type\": \"ptp\", \"ipMasq\": false"
            : "\"type\": \"bridge\", \"bridge\": \"cni0\", \"isGateway\": true, \"ipMasq\": false, \"hairpinMode\": true";
        return $$"""
            {
              "cniVersion": "0.4.0",
              "name": "lab",
              "plugins": [
                {
                  {{kind}}, "mtu": {{cluster.Spec.Mtu}},
                  "ipam": { "type": "host-local", "ranges": [[{ "subnet": "{{cluster.PodCidr(node)}}" }]], "routes": [{ "dst": "0.0.0.0/0" }] }
                },
                { "type": "portmap", "capabilities": { "portMappings": true } }
              ]
            }

            """;
    }

    public static string Kubelet(string directory) => $$"""
        apiVersion: kubelet.config.k8s.io/v1beta1
        kind: KubeletConfiguration
        authentication:
          anonymous: {enabled: false}
          webhook: {enabled: true}
          x509: {clientCAFile: "{{directory}}/etc/ca.crt" }
        authorization: {mode: Webhook}
        tlsCertFile: {{directory}}/etc/kubelet.crt
        tlsPrivateKeyFile: {{directory}}/etc/kubelet.key
        cgroupDriver: cgroupfs
        cgroupsPerQOS: true
        enforceNodeAllocatable: []
        failSwapOn: false
        protectKernelDefaults: true
        clusterDomain: cluster.local
        resolvConf: {{directory}}/etc/resolv.conf
        volumePluginDir: /var/lib/kubelet/volume-plugins
        nodeStatusUpdateFrequency: 5s
        nodeLeaseDurationSeconds: 20
        imageGCHighThresholdPercent: 100
        evictionHard: {memory.available: 50Mi}
        serializeImagePulls: false
        healthzPort: 10248

        """;

    /// <remarks>A network namespace may not set conntrack's limits, and kube-proxy gives up when it is told to: all are left alone.</remarks>
    public static string Proxy(ClusterSpec cluster, string node, string directory) => $$"""
        apiVersion: kubeproxy.config.k8s.io/v1alpha1
        kind: KubeProxyConfiguration
        mode: iptables
        hostnameOverride: {{node}}
        clientConnection: {kubeconfig: "{{directory}}/etc/proxy.kubeconfig"}
        clusterCIDR: "{{(cluster.ProxyKnowsPodCidr ? cluster.PodCidr : "")}}"
        conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
        iptables: {minSyncPeriod: 0s, syncPeriod: 30s}

        """;
}
