using System.CommandLine;
using k8s;
using k8s.Models;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Processes;
using Command = System.CommandLine.Command;

namespace MeshFabric.Lab;

/// <summary>Commands of <c>mflab</c> for clusters of real kubelets.</summary>
static class KubeCommands
{
    public static Command Power(Argument<string> lab)
    {
        var host = new Argument<string>("node") { Description = "Such as aurora-n1" };
        var state = new Argument<string>("state") { Description = "on or off" };
        state.AcceptOnlyFromAmong("on", "off");
        var command = new Command("power", "Switches a machine with a kubelet on or off, as its power switch would") { lab, host, state };
        command.SetAction((result, cancellationToken) => LabProgram.GuardAsync(async () =>
        {
            var existing = LabProgram.Existing(result.GetValue(lab)!);
            var node = existing.Topology[result.GetValue(host)!];
            await using var cluster = Cluster(existing, node.Cluster);
            var machine = cluster.Nodes.FirstOrDefault(n => n.Name == node.Name) ?? throw new LabException($"{node.Name} has no kubelet; these have: {string.Join(", ", cluster.Nodes.Select(n => n.Name))}");
            await (result.GetValue(state) == "on" ? machine.PowerOnAsync(cancellationToken) : machine.PowerOffAsync(cancellationToken));
            return 0;
        }));
        return command;
    }

    public static Command Pods(Argument<string> lab)
    {
        var command = new Command("pods", $"The pods of the Deployment {EchoWorkload.Name} in the namespace {EchoWorkload.DemoNamespace} of each cluster: cluster, number, pod, node, address") { lab };
        command.SetAction((result, cancellationToken) => LabProgram.GuardAsync(async () =>
        {
            var existing = LabProgram.Existing(result.GetValue(lab)!);
            foreach (var name in existing.Spec.Clusters.Where(c => c.Kubelets > 0).Select(c => c.Name))
            {
                await using var cluster = Cluster(existing, name);
                foreach (var (index, pod) in (await EchoWorkload.ReadyAsync(cluster, EchoWorkload.DemoNamespace, cancellationToken)).Index())
                {
                    Console.WriteLine($"{name,-12} {index + 1} {pod.Metadata.Name,-24} {pod.Spec.NodeName,-14} {pod.Status.PodIP}");
                }
            }

            return 0;
        }));
        return command;
    }

    public static Command Pod(Argument<string> lab)
    {
        var name = new Argument<string>("cluster") { Description = "Such as aurora" };
        var number = new Argument<int>("number") { Description = "As 'mflab pods' counts" };
        var words = new Argument<string[]>("command") { Description = "What to run there; begin with --", Arity = ArgumentArity.OneOrMore };
        var command = new Command("pod", "Runs a command in one of those pods, by the API server, as kubectl exec does") { lab, name, number, words };
        command.SetAction((result, cancellationToken) => LabProgram.GuardAsync(async () =>
        {
            await using var cluster = Cluster(LabProgram.Existing(result.GetValue(lab)!), result.GetValue(name)!);
            var pods = await EchoWorkload.ReadyAsync(cluster, EchoWorkload.DemoNamespace, cancellationToken);
            var pod = pods.ElementAtOrDefault(result.GetValue(number) - 1) ?? throw new LabException($"{cluster.Name} has {pods.Count} such pods");
            var done = await cluster.ExecAsync(pod, EchoWorkload.Neighbour, result.GetValue(words)!, cancellationToken);
            Console.Write(done.Output);
            await Console.Error.WriteAsync(done.Error);
            return done.ExitCode;
        }));
        return command;
    }

    static KubeCluster Cluster(Lab lab, string name) =>
        lab.Spec.Clusters.Any(c => c.Name == name && c.Kubelets > 0) ? KubeCluster.Attach(lab, name) : throw new LabException($"the lab has no cluster '{name}' with kubelets");
}
