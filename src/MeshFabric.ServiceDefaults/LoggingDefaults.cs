using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace MeshFabric.ServiceDefaults;

/// <summary>One line an entry, UTC; <c>Logging__Console__FormatterName=json</c> makes it JSON.</summary>
public static class LoggingDefaults
{
    public static ILoggingBuilder AddMeshConsole(this ILoggingBuilder logging)
    {
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
        // A statement's parameters and a request's headers may be secrets: only warnings of these.
        logging.AddFilter("Microsoft", LogLevel.Warning);
        logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Information);
        logging.AddFilter("System.Net.Http", LogLevel.Warning);
        logging.AddFilter("MassTransit", LogLevel.Warning);
        return logging;
    }
}
