using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Server.Tests.Services;

/// <summary>Keeps what a host logs, as text.</summary>
public sealed class LogCapture : ILoggerProvider
{
    public ConcurrentQueue<LogLine> Lines { get; } = [];

    public int Count(int eventId) => Lines.Count(l => l.EventId == eventId);

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose()
    {
        // Nothing is held.
    }

    sealed class Logger(LogCapture capture, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            // State as well as text: a structured sink would write every value.
            capture.Lines.Enqueue(new LogLine(category, logLevel, eventId.Id,
                $"{formatter(state, exception)} {exception} {(state is IEnumerable<KeyValuePair<string, object?>> values ? string.Join(' ', values.Select(v => $"{v.Key}={v.Value}")) : "")}"));
    }
}

public sealed record LogLine(string Category, LogLevel Level, int EventId, string Text);
