using System.Globalization;
using k8s.Models;

namespace MeshFabric.Installation;

/// <summary>The agent on every node: in the node's network, with what it needs to see of it.</summary>
static class AgentDaemonSet
{
    const string StateDirectory = "/var/lib/meshfabric";
    const string TokenDirectory = "/etc/meshfabric/join";

    // On the loopback of the node, which in the node's network is also the kubelet's.
    const string HealthAddress = "127.0.0.1";

    const string CniConfig = InstallationNames.CniConfigVolume;

    /// <summary>Directories and files of the node that the agent reads or, when not <c>ReadOnly</c>, writes.</summary>
    static readonly (string Name, string Path, string Type, bool ReadOnly)[] HostPaths =
    [
        ("state", StateDirectory, "DirectoryOrCreate", false),
        ("modules", "/lib/modules", "", true),
        (CniConfig, InstallationSettings.DefaultCniConfigDirectory, "", true),
        ("cni-data", "/var/lib/cni", "", true),
        ("flannel", "/run/flannel", "", true),
        ("xtables-lock", "/run/xtables.lock", "FileOrCreate", false),
    ];

    // Of the pod alone: the sockets of wireguard-go, and whatever .NET puts into /tmp.
    static readonly (string Name, string Path)[] OwnPaths = [("wireguard", "/run/wireguard"), ("tmp", "/tmp")];

    public static V1DaemonSet Of(InstallationSettings settings) => new()
    {
        ApiVersion = $"{V1DaemonSet.KubeGroup}/{V1DaemonSet.KubeApiVersion}",
        Kind = V1DaemonSet.KubeKind,
        Metadata = new V1ObjectMeta { Name = InstallationNames.Agent, NamespaceProperty = InstallationNames.Namespace, Labels = InstallationObjects.Labels() },
        Spec = new V1DaemonSetSpec
        {
            Selector = new V1LabelSelector { MatchLabels = new Dictionary<string, string> { [InstallationNames.NameLabel] = InstallationNames.Agent } },
            UpdateStrategy = new V1DaemonSetUpdateStrategy { Type = "RollingUpdate", RollingUpdate = new V1RollingUpdateDaemonSet { MaxUnavailable = 1 + settings.NodesDown } },
            Template = new V1PodTemplateSpec { Metadata = new V1ObjectMeta { Labels = InstallationObjects.Labels() }, Spec = Pod(settings) },
        },
    };

    // Nodes without a host of their own: nothing there could be prepared for the mesh, and no pod of ours ever runs.
    static readonly (string Label, string Value)[] Virtual = [("type", "virtual-kubelet"), ("eks.amazonaws.com/compute-type", "fargate")];

    static V1NodeSelectorRequirement IsNot((string Label, string Value) what) => new() { Key = what.Label, OperatorProperty = "NotIn", Values = [what.Value] };

    static V1PodSpec Pod(InstallationSettings settings) => new()
    {
        ServiceAccountName = InstallationNames.Agent,
        HostNetwork = true,
        DnsPolicy = "ClusterFirstWithHostNet",
        PriorityClassName = "system-node-critical",
        NodeSelector = new Dictionary<string, string> { ["kubernetes.io/os"] = "linux" },
        Affinity = new V1Affinity { NodeAffinity = new V1NodeAffinity { RequiredDuringSchedulingIgnoredDuringExecution = new V1NodeSelector { NodeSelectorTerms = [new V1NodeSelectorTerm { MatchExpressions = [.. Virtual.Select(IsNot)] }] } } },
        // Whatever a node is tainted with, its pods are part of the mesh.
        Tolerations = [new V1Toleration { OperatorProperty = "Exists" }],
        TerminationGracePeriodSeconds = 30,
        Containers = [Container(settings)],
        Volumes =
        [
            new V1Volume { Name = "join", Secret = new V1SecretVolumeSource { SecretName = InstallationNames.JoinSecret, DefaultMode = 256 } },
            .. HostPaths.Select(p => new V1Volume { Name = p.Name, HostPath = new V1HostPathVolumeSource { Path = p.Name == CniConfig ? settings.CniConfigDirectory ?? p.Path : p.Path, Type = p.Type.Length > 0 ? p.Type : null } }),
            .. OwnPaths.Select(p => new V1Volume { Name = p.Name, EmptyDir = new V1EmptyDirVolumeSource { Medium = "Memory" } }),
        ],
    };

    static V1Container Container(InstallationSettings settings) => new()
    {
        Name = InstallationNames.Container,
        Image = settings.Image,
        ImagePullPolicy = "IfNotPresent",
        Command = ["meshfabric-agent"],
        Args = ["run", "--node", "$(MESHFABRIC_NODE)"],
        Env = Environment(settings),
        // WireGuard devices, routes, nft tables and sysctls of the node.
        SecurityContext = new V1SecurityContext { Privileged = true, ReadOnlyRootFilesystem = true },
        Resources = new V1ResourceRequirements { Requests = new Dictionary<string, ResourceQuantity> { ["cpu"] = new("50m"), ["memory"] = new("128Mi") } },
        LivenessProbe = Probe(settings, "/livez", failures: 6),
        ReadinessProbe = Probe(settings, "/readyz", failures: 3),
        VolumeMounts =
        [
            new V1VolumeMount { Name = "join", MountPath = TokenDirectory, ReadOnlyProperty = true },
            .. HostPaths.Select(p => new V1VolumeMount { Name = p.Name, MountPath = p.Path, ReadOnlyProperty = p.ReadOnly ? true : null }),
            .. OwnPaths.Select(p => new V1VolumeMount { Name = p.Name, MountPath = p.Path }),
        ],
    };

    static List<V1EnvVar> Environment(InstallationSettings settings)
    {
        List<V1EnvVar> variables =
        [
            FromField("MESHFABRIC_NODE", "spec.nodeName"),
            FromField("MESHFABRIC_NAMESPACE", "metadata.namespace"),
            Variable(InstallationNames.ClusterVariable, settings.Cluster),
            Variable(InstallationNames.GatewaysVariable, settings.Gateways.ToString(CultureInfo.InvariantCulture)),
            Variable(InstallationNames.ListenPortVariable, settings.ListenPort.ToString(CultureInfo.InvariantCulture)),
            Variable("MESHFABRIC_TOKEN_FILE", $"{TokenDirectory}/{InstallationNames.JoinSecretKey}"),
            Variable("MESHFABRIC_STATE", StateDirectory),
            Variable(InstallationNames.MetricsVariable, string.Create(CultureInfo.InvariantCulture, $"{HealthAddress}:{settings.MetricsPort}")),
        ];
        foreach (var (name, cidrs) in new[] { (InstallationNames.PodCidrsVariable, settings.PodCidrs), (InstallationNames.ServiceCidrsVariable, settings.ServiceCidrs) })
        {
            if (cidrs.Count > 0)
            {
                variables.Add(Variable(name, string.Join(',', cidrs)));
            }
        }

        if (settings.AnsweredServiceCidr is { } answered)
        {
            variables.Add(Variable(InstallationNames.AnsweredServiceCidrVariable, answered));
        }

        return variables;
    }

    static V1EnvVar Variable(string name, string value) => new() { Name = name, Value = value };

    static V1EnvVar FromField(string name, string path) => new() { Name = name, ValueFrom = new V1EnvVarSource { FieldRef = new V1ObjectFieldSelector { FieldPath = path } } };

    static V1Probe Probe(InstallationSettings settings, string path, int failures) => new()
    {
        HttpGet = new V1HTTPGetAction { Host = HealthAddress, Port = settings.MetricsPort, Path = path },
        InitialDelaySeconds = 2,
        PeriodSeconds = 5,
        TimeoutSeconds = 5,
        FailureThreshold = failures,
    };
}
