using MeshFabric.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Tests.ServiceDefaults;

public sealed class BackgroundFailureTests
{
    [Fact]
    public async Task What_ended_a_host_is_told_after_its_end() =>
        Assert.Equal("out of order", (await RunAsync<Failing>())?.Message);

    [Fact]
    public async Task A_host_that_was_asked_to_end_did_not_fail() => Assert.Null(await RunAsync<Asked>());

    static async Task<Exception?> RunAsync<T>()
        where T : BackgroundService
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.ClearProviders();
        builder.Services.AddHostedService<T>();
        var host = builder.Build();
        var ended = BackgroundFailure.Watch(host.Services);
        await host.RunAsync(TestContext.Current.CancellationToken);
        return ended();
    }

    sealed class Failing : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await Task.Yield();
            throw new InvalidOperationException("out of order");
        }
    }

    sealed class Asked(IHostApplicationLifetime lifetime) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await Task.Yield();
            lifetime.StopApplication();
            await Task.Delay(Timeout.Infinite, stoppingToken);
        }
    }
}
