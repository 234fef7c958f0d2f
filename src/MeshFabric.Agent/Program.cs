using System.CommandLine;
using MeshFabric.Agent.Commands;

return await new RootCommand("""
    MeshFabric's agent: joins this host's cluster, or this machine, to the mesh.

    Examples:
      meshfabric-agent join --token-file - --gateway gw1 --endpoint 198.51.100.10:51820 < token
      meshfabric-agent join --token-file token --role machine
      meshfabric-agent run
      meshfabric-agent status
      meshfabric-agent leave
    """)
{
    JoinCommand.Create(), RunCommand.Create(), StatusCommand.Create(), LeaveCommand.Create(),
}.Parse(args).InvokeAsync();
