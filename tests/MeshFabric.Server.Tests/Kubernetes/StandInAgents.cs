using System.Text;
using System.Text.Json;
using k8s;
using k8s.Autorest;
using k8s.Models;
using MeshFabric.Installation;
using MeshFabric.Server.Tests.Control;
using MeshFabric.Server.Tests.Services;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>
/// Stands in for kubelets and agents, which this API server has none of: as long as the DaemonSet is there each node's agent is ready and reports in its
/// MeshNode, gateways enrol by the token in the Secret, and whoever is told to leave says that it has left.
/// </summary>
sealed class StandInAgents : IAsyncDisposable
{
    readonly CancellationTokenSource _ended = new();
    readonly IKubernetes _client;
    readonly ControlService _service;
    readonly string _cluster;
    readonly IReadOnlyList<string> _nodes;
    readonly HashSet<string> _enrolled = [];
    readonly Task _running;

    public StandInAgents(IKubernetes client, ControlService service, string cluster, params string[] nodes)
    {
        (_client, _service, _cluster, _nodes) = (client, service, cluster, nodes);
        _running = Task.Run(RunAsync);
    }

    /// <summary>A node whose agent does not answer any more.</summary>
    public string? Deaf { get; set; }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _running;
        _client.Dispose();
        _ended.Dispose();
    }

    async Task RunAsync()
    {
        while (!_ended.IsCancellationRequested)
        {
            try
            {
                await TurnAsync();
                await Task.Delay(50, _ended.Token);
            }
            catch (OperationCanceledException) when (_ended.IsCancellationRequested)
            {
                return;
            }
            catch (HttpOperationException)
            {
                // Not there yet, not there any more, or changed in between: the next turn sees it.
            }
        }
    }

    async Task TurnAsync()
    {
        var agents = await _client.AppsV1.ReadNamespacedDaemonSetAsync(InstallationNames.Agent, InstallationNames.Namespace, cancellationToken: _ended.Token);
        var variables = agents.Spec.Template.Spec.Containers[0].Env.ToDictionary(v => v.Name, v => v.Value);
        var leaving = variables.GetValueOrDefault(InstallationNames.LeaveVariable) == "true";
        foreach (var node in _nodes.Where(n => n != Deaf))
        {
            await ReportAsync(node, leaving);
        }

        if (!leaving)
        {
            await EnrolAsync(int.Parse(variables["MESHFABRIC_GATEWAYS"], System.Globalization.CultureInfo.InvariantCulture));
        }

        var status = agents.Status;
        if (status.ObservedGeneration != agents.Metadata.Generation || status.NumberReady != _nodes.Count)
        {
            agents.Status = new V1DaemonSetStatus { ObservedGeneration = agents.Metadata.Generation, DesiredNumberScheduled = _nodes.Count, CurrentNumberScheduled = _nodes.Count, NumberReady = _nodes.Count, UpdatedNumberScheduled = _nodes.Count };
            await _client.AppsV1.ReplaceNamespacedDaemonSetStatusAsync(agents, InstallationNames.Agent, InstallationNames.Namespace, cancellationToken: _ended.Token);
        }
    }

    Task ReportAsync(string node, bool left)
    {
        var report = new
        {
            apiVersion = $"{InstallationNames.Group}/{InstallationNames.GroupVersion}",
            kind = "MeshNode",
            metadata = new { name = node },
            status = new { address = "192.0.2.1", podPrefixes = new[] { "10.60.0.0/24" }, left },
        };
        return _client.CustomObjects.PatchClusterCustomObjectAsync(new V1Patch(JsonSerializer.Serialize(report), V1Patch.PatchType.ApplyPatch),
            InstallationNames.Group, InstallationNames.GroupVersion, InstallationNames.Nodes, node, fieldManager: "stand-in", cancellationToken: _ended.Token);
    }

    async Task EnrolAsync(int gateways)
    {
        var secret = await _client.CoreV1.ReadNamespacedSecretAsync(InstallationNames.JoinSecret, InstallationNames.Namespace, cancellationToken: _ended.Token);
        foreach (var gateway in Enumerable.Range(1, gateways).Select(i => $"gw{i}").Where(g => !_enrolled.Contains(g)))
        {
            using var answer = await _service.EnrolAsync(Encoding.UTF8.GetString(secret.Data[InstallationNames.JoinSecretKey]), _cluster, gateway, null, _ended.Token);
            if (answer.IsSuccessStatusCode)
            {
                _enrolled.Add(gateway);
            }
        }

        // What a heartbeat would do.
        await PostgresServer.QueryAsync(_service.Database, "UPDATE gateways SET last_seen = now(), reachable = true RETURNING 1", _ended.Token);
    }
}
