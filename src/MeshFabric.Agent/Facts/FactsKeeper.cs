using MeshFabric.Agent.State;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Facts;

/// <summary>The replica of the facts and its copy on disk, in step: what was accepted survives this process.</summary>
public sealed partial class FactsKeeper(AgentStateDirectory state, ILogger<FactsKeeper> log)
{
    readonly Lock _lock = new();
    FactsReplica _replica = new(null);

    /// <summary>Null before the first snapshot.</summary>
    public MeshFacts? Facts
    {
        get
        {
            lock (_lock)
            {
                return _replica.Facts;
            }
        }
    }

    public long Revision => Facts?.Revision ?? 0;

    /// <summary>Takes over what is on disk; a damaged file is set aside and the facts are fetched anew.</summary>
    public void Load()
    {
        lock (_lock)
        {
            _replica = new FactsReplica(state.ReadFacts(out var setAside));
            if (setAside is not null)
            {
                LogSetAside(log, setAside);
            }
        }
    }

    public FactsOutcome Accept(FactsChanged message) => Accept(() => _replica.Apply(message));

    public FactsOutcome Accept(FactsSnapshot message) => Accept(() => _replica.Apply(message));

    FactsOutcome Accept(Func<FactsOutcome> apply)
    {
        lock (_lock)
        {
            var outcome = apply();
            if (outcome == FactsOutcome.Applied)
            {
                state.WriteFacts(_replica.Facts!);
            }

            LogFacts(log, outcome, _replica.Revision);
            return outcome;
        }
    }

    [LoggerMessage(5004, LogLevel.Warning, "The facts on disk were damaged and set aside as {File}; they are fetched anew")]
    static partial void LogSetAside(ILogger logger, string file);

    [LoggerMessage(5005, LogLevel.Information, "Facts {Outcome}, now at revision {Revision}")]
    static partial void LogFacts(ILogger logger, FactsOutcome outcome, long revision);
}
