using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.ServiceDefaults;

namespace MeshFabric.Agent.Nodes;

/// <summary>Tells others, by the node's MeshNode, what is to be known of it; only when it is another than what stands there.</summary>
/// <remarks>Beside the node's turns, not in them: an API that does not answer takes half a minute, and gateways die meanwhile.</remarks>
sealed class NodeReporter(NodeSettings settings, ClusterApi api, TimeProvider time)
{
    static readonly TimeSpan Look = TimeSpan.FromSeconds(5);

    readonly WakeSignal _signal = new();
    Seen? _seen;

    sealed record Seen(NodeObservation Observation, ValueList<int> TakenPorts, ValueList<Finding> Findings);

    /// <summary>What is to be told from now on. From any thread.</summary>
    public void Tell(NodeObservation observation, ValueList<int> takenPorts, ValueList<Finding> findings)
    {
        Volatile.Write(ref _seen, new Seen(observation, takenPorts, findings));
        _signal.Wake();
    }

    /// <param name="describe">What to tell of a failure; null ends the agent.</param>
    public Task RunAsync(Func<Exception, string?> describe, Action<string> tell, CancellationToken cancellationToken) =>
        Turns.RunAsync(TimeSpan.Zero, time, async cancel =>
        {
            await _signal.WaitAsync(Look, cancel);
            if (Volatile.Read(ref _seen) is { } seen && !cancel.IsCancellationRequested)
            {
                await ReportAsync(seen, cancel);
            }
        }, describe, tell, cancellationToken);

    async Task ReportAsync(Seen seen, CancellationToken cancellationToken)
    {
        if (api.Node(settings.Node) is not { } node || api.Facts is not { } facts)
        {
            return;
        }

        var addressing = NodeAddressing.Of(seen.Observation, ClusterCidrs.OfNode(node), facts.Gateways.SelectMany(g => g.LocalPrefixes).Distinct().Order().ToValueList());
        await api.ReportAsync(node, new MeshNodeStatus
        {
            Address = NodeAddress.Of(node)?.ToString(),
            PodPrefixes = addressing.PodPrefixes.Select(c => c.ToString()).ToList(),
            Sources = addressing.Sources.Select(a => a.ToString()).ToList(),
            TakenPorts = seen.TakenPorts,
            Findings = seen.Findings.Select(f => new FindingStatus(f.Severity.ToString().ToLowerInvariant(), f.Code, f.Subject, f.Message, f.Hint.Length > 0 ? f.Hint : null)).ToList(),
            Observation = seen.Observation,
            AgentVersion = ProductVersion.Current,
        }, cancellationToken);
    }
}
