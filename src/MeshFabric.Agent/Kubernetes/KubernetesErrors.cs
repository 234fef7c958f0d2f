using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Exceptions;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Says what went wrong with a cluster's API so that a person can mend it. Never shows a credential.</summary>
static class KubernetesErrors
{
    public static bool IsExpected(Exception e) =>
        e is HttpOperationException or HttpRequestException or KubernetesException or KubernetesInventoryException or KubeConfigException
            or IOException or SocketException or AuthenticationException or JsonException or OperationCanceledException;

    /// <param name="rule">The permission that the request needs, as a line for a Role.</param>
    public static string Describe(Exception e, Uri server, string what, RbacRule rule) => e switch
    {
        HttpOperationException { Response.StatusCode: HttpStatusCode.Unauthorized } =>
            $"the Kubernetes API at {server.Authority} does not accept the agent's credentials (401): renew the kubeconfig, or check that the service account still exists",
        HttpOperationException { Response.StatusCode: HttpStatusCode.Forbidden } =>
            $"the Kubernetes API at {server.Authority} does not let the agent {what} (403): add this rule to its {rule.RoleKind} (deploy/kubernetes/inventory-rbac.yaml; of agents in pods: mfctl cluster join again, which brings it up to date): {rule}",
        HttpOperationException http => $"the Kubernetes API at {server.Authority} answered {(int)http.Response.StatusCode} when asked to {what}: {Message(http)}",
        KubernetesException { Status: { } status } => $"the Kubernetes API at {server.Authority} ended the watch: {status.Message ?? status.Reason}",
        OperationCanceledException => $"the Kubernetes API at {server.Authority} does not answer: no reply in time when asked to {what}",
        _ => $"the Kubernetes API at {server.Authority} cannot be reached: {Innermost(e).Message}",
    };

    public static bool IsGone(Exception e) =>
        e is HttpOperationException { Response.StatusCode: HttpStatusCode.Gone } or KubernetesException { Status.Code: (int)HttpStatusCode.Gone };

    /// <summary>The message of the Status object that the API server answers with, else the beginning of the body.</summary>
    public static string Message(HttpOperationException e)
    {
        var content = e.Response.Content ?? "";
        try
        {
            return KubernetesJson.Deserialize<k8s.Models.V1Status>(content)?.Message ?? "";
        }
        catch (JsonException)
        {
            // A proxy's page, for instance.
            return content.Length > 200 ? content[..200] : content;
        }
    }

    static Exception Innermost(Exception e)
    {
        while (e.InnerException is { } inner)
        {
            e = inner;
        }

        return e;
    }
}

/// <summary>One permission, printed as it goes into a Role or ClusterRole.</summary>
/// <param name="Namespace">Null: for the whole cluster.</param>
sealed record RbacRule(string Group, string Resource, string Verbs, string? Namespace = null)
{
    public static readonly RbacRule Nodes = new("", "nodes", "list, watch");
    public static readonly RbacRule DaemonSets = new("apps", "daemonsets", "list");
    public static readonly RbacRule CniConfigMaps = new("", "configmaps", "get");
    public static readonly RbacRule CalicoPools = new("crd.projectcalico.org", "ippools", "list");
    public static readonly RbacRule CalicoPoolsOfMesh = new("crd.projectcalico.org", "ippools", "list, create, delete");
    public static readonly RbacRule CalicoBlocks = new("crd.projectcalico.org", "blockaffinities", "list");
    public static readonly RbacRule CalicoFelix = new("crd.projectcalico.org", "felixconfigurations", "get");
    public static readonly RbacRule CalicoInstallation = new("operator.tigera.io", "installations", "get");
    public static readonly RbacRule ConfigMaps = new("", "configmaps", "get", "kube-system");
    public static readonly RbacRule Pods = new("", "pods", "list", "kube-system");
    public static readonly RbacRule ServiceCidrs = new("networking.k8s.io", "servicecidrs", "list");
    public static readonly RbacRule ServiceProbe = new("", "services", "create", "default");
    public static readonly RbacRule Version = new("", "nonResourceURLs /version", "get");

    public static RbacRule Leases(string @namespace) => new("coordination.k8s.io", "leases", "list, create, update", @namespace);

    public string RoleKind => Namespace is null ? "ClusterRole" : $"Role in namespace {Namespace}";

    public override string ToString() => $"{{apiGroups: [\"{Group}\"], resources: [{Resource}], verbs: [{Verbs}]}}";
}
