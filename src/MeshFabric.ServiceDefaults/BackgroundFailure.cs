using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace MeshFabric.ServiceDefaults;

/// <summary>A background service that fails ends its host, and the host then ends as if it had been asked to: whoever restarts programs that failed must be told otherwise.</summary>
public static class BackgroundFailure
{
    /// <summary>Asks for the services before the host runs, which disposes them at its end.</summary>
    /// <returns>Gives, once the host has ended, what ended it; null when it was asked to.</returns>
    public static Func<Exception?> Watch(IServiceProvider services)
    {
        var watched = services.GetServices<IHostedService>().OfType<BackgroundService>().ToList();
        return () => watched.Select(s => s.ExecuteTask?.Exception?.InnerException).FirstOrDefault(e => e is not null and not OperationCanceledException);
    }
}
