using System.Globalization;
using MeshFabric.TestKit;
using MeshFabric.TestKit.Services;
using RabbitMQ.Client;

namespace MeshFabric.Server.Tests.Services;

/// <summary>The fixture that the tests of messaging stand on.</summary>
[Collection(BrokerTests.Name)]
public sealed class PrivateRabbitTests(RabbitServer rabbit)
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_confirmed_durable_message_survives_a_crash_and_the_ports_stay()
    {
        var before = rabbit.Server.Pid;
        await using (var connection = await rabbit.ConnectAsync("/", Cancel))
        await using (var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), Cancel))
        {
            await channel.QueueDeclareAsync("crash", durable: true, exclusive: false, autoDelete: false, cancellationToken: Cancel);
            await channel.BasicPublishAsync("", "crash", true, new BasicProperties { Persistent = true }, "7"u8.ToArray(), Cancel);
        }

        await rabbit.Server.Kill9Async(Cancel);
        Assert.Null(rabbit.Server.Pid);
        await rabbit.Server.StartAsync(Cancel);

        Assert.NotEqual(before, rabbit.Server.Pid);
        await using var again = await rabbit.ConnectAsync("/", Cancel);
        await using var reader = await again.CreateChannelAsync(cancellationToken: Cancel);
        var got = await reader.BasicGetAsync("crash", autoAck: true, Cancel);
        Assert.Equal("7"u8.ToArray(), got!.Body.ToArray());
        await reader.QueueDeleteAsync("crash", cancellationToken: Cancel);
    }

    [Fact]
    public async Task A_second_broker_runs_beside_the_first_and_leaves_no_process_and_no_file()
    {
        var directory = Path.Combine(Path.GetTempPath(), "mf-mq-" + Path.GetRandomFileName());
        var second = await PrivateRabbit.StartAsync(RabbitServer.Options(directory, rabbit.Pki), Cancel);
        Assert.NotEqual(rabbit.Server.Pid, second.Pid);
        Assert.NotEmpty(ProcessesOf(directory));
        await second.StopAsync(Cancel);
        Assert.Null(second.Pid);

        await second.DeleteAsync(Cancel);

        Assert.False(Directory.Exists(directory));
        await Until.TrueAsync(() => ProcessesOf(directory).Count == 0, TimeSpan.FromSeconds(10), () => string.Join(", ", ProcessesOf(directory)), Cancel);
        Assert.NotNull(rabbit.Server.Pid);
    }

    // Every process that was started for this directory has it in its environment: the VM, its helpers, and epmd.
    static List<int> ProcessesOf(string directory)
    {
        var found = new List<int>();
        foreach (var path in Directory.GetDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            {
                try
                {
                    if (File.ReadAllText(Path.Combine(path, "environ")).Contains(directory, StringComparison.Ordinal))
                    {
                        found.Add(pid);
                    }
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    // Gone meanwhile, or not ours to read.
                }
            }
        }

        return found;
    }
}
