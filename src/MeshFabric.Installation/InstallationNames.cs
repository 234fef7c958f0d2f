namespace MeshFabric.Installation;

/// <summary>Names in a cluster's API that are part of the interface: agents, command line and charts agree on them.</summary>
public static class InstallationNames
{
    public const string Namespace = "meshfabric-system";

    /// <summary>Of the service account, the roles, the DaemonSet and its container.</summary>
    public const string Agent = "meshfabric-agent";

    public const string Container = "agent";

    /// <summary>Of the leases that hold the gateways' slots; the gateway's name follows.</summary>
    public const string LeasePrefix = "meshfabric-gateway-";

    public const string JoinSecret = "meshfabric-join";
    public const string JoinSecretKey = "token";

    public const string Group = "meshfabric.io";
    public const string GroupVersion = "v1alpha1";
    public const string Gateways = "meshgateways";
    public const string Nodes = "meshnodes";

    public const string NameLabel = "app.kubernetes.io/name";
    public const string PartOfLabel = "app.kubernetes.io/part-of";
    public const string PartOf = "meshfabric";

    /// <summary>On the namespace: SHA-256 of the mesh's CA certificate, 64 hex digits. Who installs into a cluster sees by it whose the agents are.</summary>
    public const string MeshAnnotation = Group + "/mesh";

    /// <summary>On the namespace: the cluster's name in the mesh.</summary>
    public const string ClusterAnnotation = Group + "/cluster";

    /// <summary>Nodes that have it with the value <c>true</c>, when there are any, are the candidates for gateways; with <c>false</c> a node is none.</summary>
    public const string GatewayLabel = Group + "/gateway";

    /// <summary>In the agents' environment: the cluster's name in the mesh.</summary>
    public const string ClusterVariable = "MESHFABRIC_CLUSTER";

    // In the agents' environment, too.
    public const string GatewaysVariable = "MESHFABRIC_GATEWAYS";
    public const string ListenPortVariable = "MESHFABRIC_LISTEN_PORT";
    public const string MetricsVariable = "MESHFABRIC_METRICS";
    public const string PodCidrsVariable = "MESHFABRIC_POD_CIDRS";
    public const string ServiceCidrsVariable = "MESHFABRIC_SERVICE_CIDRS";

    /// <summary>In the agents' environment: what the API server answered to whoever installed them (<see cref="ServiceCidrQuestion"/>).</summary>
    public const string AnsweredServiceCidrVariable = "MESHFABRIC_ANSWERED_SERVICE_CIDR";

    /// <summary>Where the nodes keep their CNI plug-in's configuration.</summary>
    public const string CniConfigVolume = "cni-config";

    /// <summary>In the agents' environment, <c>true</c>: clean the host, then say so in <c>status.left</c> of the node's MeshNode.</summary>
    public const string LeaveVariable = "MESHFABRIC_LEAVE";

    /// <summary>Owner of the fields that are applied (server-side apply).</summary>
    public const string FieldManager = "meshfabric";
}
