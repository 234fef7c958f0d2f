using System.Text.Json;
using System.Text.RegularExpressions;
using MeshFabric.Contracts.Http;
using MeshFabric.Persistence;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace MeshFabric.Control.Api;

/// <summary>The one place where refusals and failures become problem details (RFC 9457), and where requests get their ids.</summary>
public static partial class Problems
{
    public const string RequestIdHeader = "X-Request-Id";

    // A database that restarts is back within it; whoever waits longer is better off with an answer.
    static readonly TimeSpan DatabaseLimit = TimeSpan.FromSeconds(5);

    const string TypeBase = "https://meshfabric.io/problems/";

    public static void UseProblems(this WebApplication app)
    {
        app.Use(async (context, next) =>
        {
            var asked = context.Request.Headers[RequestIdHeader].ToString();
            context.TraceIdentifier = RequestId().IsMatch(asked) ? asked : Guid.NewGuid().ToString("n");
            context.Response.Headers[RequestIdHeader] = context.TraceIdentifier;
            context.Response.OnStarting(() =>
            {
                // Files of the dashboard say themselves how long they may be kept.
                if (context.Response.Headers.CacheControl.Count == 0)
                {
                    context.Response.Headers.CacheControl = "no-store";
                }

                return Task.CompletedTask;
            });
            DatabasePatience.Limit(DatabaseLimit);
            try
            {
                await next(context);
            }
            catch (Exception e) when (!context.Response.HasStarted)
            {
                await WriteAsync(context, Of(e, context, app.Logger));
            }
        });
        app.UseStatusCodePages(page => WriteAsync(page.HttpContext, OfStatus(page.HttpContext)));
    }

    static Refusal Of(Exception exception, HttpContext context, ILogger log)
    {
        switch (exception)
        {
            case Refusal refusal:
                return refusal;
            case BadHttpRequestException bad:
                return OfStatus(bad.StatusCode, context);
            case OperationCanceledException when context.RequestAborted.IsCancellationRequested:
                return new Refusal(StatusCodes.Status499ClientClosedRequest, "client-closed-request", "Client closed request", "The client went away.");
            case DbUpdateException update when MeshDatabase.IsConflict(update):
                return Refusal.Conflict("conflict", "Somebody else changed the same thing at the same moment. Look at it again and repeat.");
            case DbUpdateConcurrencyException:
                return Refusal.Conflict("conflict", "Somebody else changed the same thing at the same moment. Look at it again and repeat.");
            case RetryLimitExceededException or NpgsqlException or DbUpdateException { InnerException: NpgsqlException } or InvalidOperationException { InnerException: NpgsqlException } when !MeshDatabase.IsFault(exception):
                LogUnavailable(log, context.TraceIdentifier, "database", exception.GetBaseException().Message);
                return Unavailable("database-unavailable", "The database cannot be reached; nothing was changed. Tunnels are not affected. Try again shortly.");
            case HttpRequestException or TimeoutException or TaskCanceledException { InnerException: TimeoutException }:
                LogUnavailable(log, context.TraceIdentifier, "broker", exception.GetBaseException().Message);
                return Unavailable("broker-unavailable", "The message broker cannot be reached; nothing was changed. Tunnels are not affected. Try again shortly.");
            default:
                LogFailed(log, exception, context.TraceIdentifier);
                return new Refusal(StatusCodes.Status500InternalServerError, "internal", "Internal error", $"Something went wrong in the control service. Its log has the cause under request id {context.TraceIdentifier}.");
        }
    }

    static Refusal Unavailable(string code, string detail) => new(StatusCodes.Status503ServiceUnavailable, code, "Unavailable", detail);

    static Refusal OfStatus(HttpContext context) => OfStatus(context.Response.StatusCode, context);

    static Refusal OfStatus(int status, HttpContext context) => status switch
    {
        StatusCodes.Status400BadRequest => new(status, "bad-request", "Bad request", "The request's path, query or headers cannot be read."),
        StatusCodes.Status401Unauthorized => new(status, "unauthorized", "Not authenticated", "Send a valid API token: Authorization: Bearer mfa_... (mfctl login)."),
        StatusCodes.Status403Forbidden => new(status, "forbidden", "Not allowed", "This token's role does not allow that. Ask for a token with a higher role: viewer < operator < admin."),
        StatusCodes.Status404NotFound => new(status, "no-such-route", "Not found", $"There is nothing at {context.Request.Path}. See /openapi/v1.json for what there is."),
        StatusCodes.Status405MethodNotAllowed => new(status, "method-not-allowed", "Method not allowed", $"{context.Request.Method} is not possible here; possible: {context.Response.Headers.Allow}."),
        StatusCodes.Status413PayloadTooLarge => new(status, "body-too-large", "Body too large", $"A body may have at most {Contracts.Http.Api.MaxBodyBytes} bytes."),
        StatusCodes.Status415UnsupportedMediaType => new(status, "unsupported-media-type", "Unsupported media type", "The body must be JSON: send it with Content-Type: application/json."),
        StatusCodes.Status429TooManyRequests => new(status, "too-many-requests", "Too many requests", "Slow down, and try again after the seconds in the Retry-After header."),
        _ => new(status, $"http-{status}", "The request failed", $"The request failed with status {status}."),
    };

    static async Task WriteAsync(HttpContext context, Refusal refusal)
    {
        var problem = new Problem(TypeBase + refusal.Code, refusal.Title, refusal.Status, refusal.Message, context.Request.Path, refusal.Code, context.TraceIdentifier, refusal.Errors);
        context.Response.StatusCode = refusal.Status;
        context.Response.ContentType = "application/problem+json";
        await context.Response.WriteAsync(JsonSerializer.Serialize(problem, MeshJson.Options), context.RequestAborted);
    }

    [GeneratedRegex("^[A-Za-z0-9._-]{1,64}\\z")]
    private static partial Regex RequestId();

    [LoggerMessage(1401, LogLevel.Error, "Request {RequestId} failed")]
    static partial void LogFailed(ILogger logger, Exception exception, string requestId);

    [LoggerMessage(1402, LogLevel.Warning, "Request {RequestId} was answered with 503, for the {Dependency} is away: {Reason}")]
    static partial void LogUnavailable(ILogger logger, string requestId, string dependency, string reason);
}
