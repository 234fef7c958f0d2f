using System.Runtime.CompilerServices;
using MeshFabric.Contracts.Files;
using MeshFabric.Domain.Clusters;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Inventory;

/// <summary>The inventory of a site or a machine, from a YAML file that may be edited at any time. A file that became bad leaves the last good one in force.</summary>
public sealed partial class FileInventorySource(string file, TimeProvider time, ILogger<FileInventorySource> log) : IInventorySource
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    public string? Failure { get; private set; }

    public async IAsyncEnumerable<ClusterInventory> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? read = null;
        ClusterInventory? last = null;
        while (!cancellationToken.IsCancellationRequested)
        {
            // Read whole each time: a small file, and neither times nor notifications tell of every way to replace one.
            var (text, inventory) = Read(read, last);
            read = text;
            if (inventory is not null && inventory != last)
            {
                last = inventory;
                LogRead(log, file, inventory.PodCidrs.ToString());
                yield return inventory;
            }

            await Task.Delay(Period, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public void Dispose()
    {
    }

    (string? Text, ClusterInventory? Inventory) Read(string? before, ClusterInventory? last)
    {
        try
        {
            var text = File.ReadAllText(file);
            if (text == before)
            {
                return (before, last);
            }

            var inventory = InventoryText.ToInventory(InventoryFile.Parse(text, file).Inventory, file);
            Failure = null;
            return (text, inventory);
        }
        catch (Exception e) when (e is InventoryFileException or IOException or UnauthorizedAccessException)
        {
            if (Failure != e.Message)
            {
                Failure = e.Message;
                LogBad(log, e.Message);
            }

            return (null, last);
        }
    }

    [LoggerMessage(5321, LogLevel.Information, "Inventory: read {File}, networks {Cidrs}")]
    static partial void LogRead(ILogger logger, string file, string cidrs);

    [LoggerMessage(5322, LogLevel.Warning, "Inventory: {Reason}; the last good one stays in force")]
    static partial void LogBad(ILogger logger, string reason);
}
