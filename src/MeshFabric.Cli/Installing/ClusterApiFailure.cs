using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Exceptions;
using k8s.Models;

namespace MeshFabric.Cli.Installing;

/// <summary>What a person is told when a cluster's API refuses, or does not answer. Never shows a credential.</summary>
static class ClusterApiFailure
{
    public static bool IsExpected(Exception e) =>
        e is HttpOperationException or HttpRequestException or KubernetesException or KubeConfigException or IOException or SocketException or AuthenticationException or JsonException or OperationCanceledException;

    public static CommandException Of(Exception e, string address, string what, string kubeconfig) => e switch
    {
        HttpOperationException { Response.StatusCode: HttpStatusCode.Unauthorized } => new CommandException(ExitCode.NotAllowed,
            $"the Kubernetes API at {address} does not accept the credentials of {kubeconfig} (401)", $"renew them, or choose another context with --kube-context; kubectl --kubeconfig {kubeconfig} auth can-i --list"),
        HttpOperationException { Response.StatusCode: HttpStatusCode.Forbidden } http => new CommandException(ExitCode.NotAllowed,
            $"the Kubernetes API at {address} does not let you {what} (403): {Message(http)}", "use a kubeconfig of an administrator of that cluster"),
        HttpOperationException { Response.StatusCode: HttpStatusCode.Conflict } http => new CommandException(ExitCode.Conflict,
            $"the Kubernetes API at {address} refuses to {what} (409): {Message(http)}", "see who else writes it: kubectl get --show-managed-fields -o yaml; take that away, then the same command again"),
        HttpOperationException http => new CommandException(ExitCode.Failed, $"the Kubernetes API at {address} answered {(int)http.Response.StatusCode} when asked to {what}: {Message(http)}"),
        OperationCanceledException => new CommandException(ExitCode.Unreachable, $"the Kubernetes API at {address} does not answer: no reply in time when asked to {what}", Look(kubeconfig)),
        _ => new CommandException(ExitCode.Unreachable, $"the Kubernetes API at {address} cannot be reached: {Innermost(e).Message}", Look(kubeconfig)),
    };

    static string Look(string kubeconfig) => $"is it the right context, and the API reachable from here? kubectl --kubeconfig {kubeconfig} get --raw /version";

    /// <summary>Of the Status object that the API server answers with, else the beginning of the body.</summary>
    static string Message(HttpOperationException e)
    {
        var content = e.Response.Content ?? "";
        try
        {
            return KubernetesJson.Deserialize<V1Status>(content)?.Message ?? "";
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
