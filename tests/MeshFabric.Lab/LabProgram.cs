using System.CommandLine;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;
using Command = System.CommandLine.Command;

namespace MeshFabric.Lab;

/// <summary><c>mflab</c>: labs from the command line.</summary>
static class LabProgram
{
    const string Serving = "serving";
    static readonly Argument<string> NameArgument = new("name") { Description = "Name of the lab" };

    public static async Task<int> RunAsync(string[] args) =>
        await new RootCommand("Clusters as network namespaces of this machine.\n\nExamples:\n  mflab up play --programs out\n  mflab exec play aurora-w1-p1 ping 10.20.1.10\n  mflab down play")
        {
            Up(), List(), Hosts(), Exec(), Mfctl(), KubeCommands.Pods(NameArgument), KubeCommands.Pod(NameArgument), KubeCommands.Power(NameArgument), Serve(), Down(),
        }.Parse(args).InvokeAsync();

    /// <summary>Three clusters of two gateways; the last two use the same CIDRs inside.</summary>
    public static LabSpec ThreeClusters(string name, bool kubernetes = false)
    {
        var kind = kubernetes ? "kubernetes" : "site";
        return new LabSpec(
            name,
            [
                new ClusterSpec("aurora", "10.10.0.0/16") { PodCidr6 = "fd10:10::/48", Provider = "aws", Region = "eu-west-1", Kind = kind },
                new ClusterSpec("borealis", "10.20.0.0/16") { PodCidr6 = "fd10:20::/48", Provider = "gcp", Region = "europe-north1", Kind = kind },
                new ClusterSpec("cirrus", "10.20.0.0/16") { PodCidr6 = "fd10:20::/48", Provider = "on-premises", Region = "berlin", Kind = kind },
            ]);
    }

    /// <summary>As <see cref="ThreeClusters"/>, of two real kubelets each.</summary>
    public static LabSpec ThreeClustersOfKubelets(string name) => new(
        name,
        [
            ClusterSpec.OfKubelets("aurora", "10.10.0.0/16") with { Provider = "aws", Region = "eu-west-1" },
            ClusterSpec.OfKubelets("borealis", "10.20.0.0/16") with { Provider = "gce", Region = "europe-north1" },
            ClusterSpec.OfKubelets("cirrus", "10.20.0.0/16") with { Region = "berlin" },
        ]);

    static Command Up()
    {
        var programs = new Option<string?>("--programs") { Description = "Directory of the product's programs; without it: the network alone" };
        var port = new Option<int>("--api-port") { Description = "Port of this machine's loopback that reaches the API", DefaultValueFactory = _ => 0 };
        var kubernetes = new Option<bool>("--kubernetes") { Description = "Each cluster has a real Kubernetes API" };
        var kubelets = new Option<bool>("--kubelets") { Description = "Each cluster has real kubelets and pods; joined, its agents are pods too" };
        var join = new Option<bool>("--join") { Description = "Join the clusters too" };
        var command = new Command("up", "A lab of three clusters, with a server in every pod; it stays until it is removed") { NameArgument, programs, port, kubernetes, kubelets, join };
        command.SetAction((result, cancellationToken) => GuardAsync(async () =>
        {
            var name = result.GetValue(NameArgument)!;
            var started = TimeProvider.System.GetTimestamp();
            void Say(string text) => Console.WriteLine($"[{TimeProvider.System.GetElapsedTime(started).TotalSeconds,4:0} s] {text}");
            var spec = (result.GetValue(kubelets) ? ThreeClustersOfKubelets(name) : ThreeClusters(name, result.GetValue(kubernetes))) with { ApiPort = result.GetValue(port) };
            if (result.GetValue(programs) is not { } folder)
            {
                Say("network: an internet and 3 clusters");
                var bare = await Lab.CreateAsync(spec, null, cancellationToken);
                if (result.GetValue(kubelets))
                {
                    Say("kubelets");
                    await KubeCluster.StartAllAsync(bare, [], cancellationToken);
                }

                await ServeAsync(bare, cancellationToken);
                Say("up");
                return 0;
            }

            var mesh = await MeshLab.CreateAsync(spec, Path.GetFullPath(folder), Say, cancellationToken);
            await ServeAsync(mesh.Lab, cancellationToken);
            foreach (var cluster in result.GetValue(join) ? spec.Clusters : [])
            {
                Say($"joining {cluster.Name}");
                await mesh.JoinAsync(cluster.Name, cancellationToken);
            }

            Say("up");
            return 0;
        }));
        return command;
    }

    // In this machine's own namespace, for the relay is there; it outlives us and ends with the lab.
    static async Task ServeAsync(Lab lab, CancellationToken cancellationToken)
    {
        var serve = await lab.StartOutsideAsync("serve", [Environment.ProcessPath!, "serve", lab.Spec.Name], cancellationToken);
        await Until.TrueAsync(() => serve.LogTail().Contains(Serving, StringComparison.Ordinal) || serve.Pid is null, TimeSpan.FromSeconds(60), "the servers in the pods", cancellationToken);
        if (serve.Pid is null)
        {
            throw new LabException($"the servers in the pods ended: {serve.LogTail()}");
        }
    }

    static Command List()
    {
        var command = new Command("list", "The labs of this machine");
        command.SetAction(_ =>
        {
            foreach (var directory in Directory.Exists(LabSpec.Root) ? Directory.GetDirectories(LabSpec.Root).Order(StringComparer.Ordinal) : Enumerable.Empty<string>())
            {
                Console.WriteLine(Path.GetFileName(directory));
            }
        });
        return command;
    }

    static Command Hosts()
    {
        var command = new Command("hosts", "The hosts of a lab and their addresses") { NameArgument };
        command.SetAction((result, _) => GuardAsync(() =>
        {
            foreach (var host in Existing(result).Topology.Hosts.Where(h => h.Role != HostRole.Switch))
            {
                Console.WriteLine($"{host.Name,-24} {host.Role.ToString().ToLowerInvariant(),-10} {host.Address,-18} {host.Address6}".TrimEnd());
            }

            return Task.FromResult(0);
        }));
        return command;
    }

    static Command Exec()
    {
        var host = new Argument<string>("host") { Description = "Name of the host" };
        var words = new Argument<string[]>("command") { Description = "What to run there (default: a shell)", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("exec", "Runs a command in a host") { NameArgument, host, words };
        command.SetAction((result, _) => GuardAsync(() => Task.FromResult(Attached(Existing(result), result.GetValue(host)!, result.GetValue(words) ?? []))));
        return command;
    }

    static Command Mfctl()
    {
        var words = new Argument<string[]>("arguments") { Description = "What mfctl is given; begin with --", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("mfctl", "Runs mfctl in the control plane's host, logged in") { NameArgument, words };
        command.SetAction((result, _) => GuardAsync(() =>
        {
            var lab = Existing(result);
            return Task.FromResult(Attached(lab, "control", ["env", $"MESHFABRIC_CONFIG={Path.Combine(lab.Directory, "mfctl.json")}", "mfctl", .. result.GetValue(words) ?? []]));
        }));
        return command;
    }

    static Command Serve()
    {
        var command = new Command("serve", "Servers in the lab's pods and the relay to its API; started by up") { NameArgument };
        command.Hidden = true;
        command.SetAction((result, cancellationToken) => GuardAsync(async () =>
        {
            var lab = Existing(result);
            await using var servers = PodServers.Start(lab.Topology);
            await using var relay = lab.Spec.ApiPort == 0 ? null : NamespaceRelay.Start(lab.Topology["control"], LabAddresses.Control, LabAddresses.ControlPort, lab.Spec.ApiPort);
            var clusters = lab.Spec.Clusters.Where(c => c.Kubelets > 0).Select(c => KubeCluster.Attach(lab, c.Name)).ToList();
            clusters.ForEach(c => c.WriteLocalKubeconfig());
            Console.WriteLine(Serving);
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return 0;
        }));
        return command;
    }

    static Command Down()
    {
        var command = new Command("down", "Removes a lab, every trace of it") { NameArgument };
        command.SetAction((result, cancellationToken) => GuardAsync(async () =>
        {
            if (Lab.Attach(result.GetValue(NameArgument)!) is { } lab)
            {
                await lab.DeleteAsync(cancellationToken);
            }

            return 0;
        }));
        return command;
    }

    static Lab Existing(ParseResult result) => Existing(result.GetValue(NameArgument)!);

    internal static Lab Existing(string name)
    {
        return Lab.Attach(name) ?? throw new LabException($"there is no lab '{name}' (mflab list)");
    }

    // The command takes our terminal as it is; nothing is captured.
    static int Attached(Lab lab, string host, string[] words)
    {
        using var process = System.Diagnostics.Process.Start(lab.OnScript, [lab.Topology[host].Name, .. words]);
        process.WaitForExit();
        return process.ExitCode;
    }

    internal static async Task<int> GuardAsync(Func<Task<int>> action)
    {
        try
        {
            return await action();
        }
        catch (Exception e) when (e is LabException or TimeoutException or ArgumentException or KeyNotFoundException or InvalidOperationException)
        {
            await Console.Error.WriteLineAsync("mflab: " + e.Message);
            return 1;
        }
        catch (OperationCanceledException)
        {
            return 130;
        }
    }
}
