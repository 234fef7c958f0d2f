using MeshFabric.Agent.Ports;

namespace MeshFabric.Agent.Linux;

/// <summary>The settings of a Kubernetes node, as its gateway may use them: the node needs them as well, and puts them back when it leaves itself.</summary>
sealed class NodeHeldSettings(LinuxSysctls node) : IHostSettings
{
    public void Prepare(bool forwards, bool forwards6) => node.Prepare(forwards, forwards6);

    public void Restore()
    {
    }
}
