namespace MeshFabric.Lab.Cni;

/// <summary>The plug-ins that a lab's cluster can have.</summary>
public static class CniPlugins
{
    static readonly ICniPlugin[] All =
    [
        new FlannelPlugin(FlannelKind.Vxlan),
        new FlannelPlugin(FlannelKind.HostGateway),
        new FlannelPlugin(FlannelKind.Nftables),
        new CalicoPlugin(CalicoKind.VxlanInserting),
        new CalicoPlugin(CalicoKind.VxlanAppending),
        new CalicoPlugin(CalicoKind.VxlanNftables),
        new CalicoPlugin(CalicoKind.Bgp),
        new CanalPlugin(),
        new WeavePlugin(),
        new BridgePlugin(),
        new PtpPlugin(),
        new KindnetPlugin(),
    ];

    public static IReadOnlyList<string> Names => [.. All.Select(p => p.Name)];

    /// <inheritdoc cref="ICniPlugin.IsDualStack"/>
    public static bool IsDualStack(string name) => Of(name).IsDualStack;

    /// <exception cref="ArgumentException">There is no such plug-in; the message lists those there are.</exception>
    internal static ICniPlugin Of(string name) =>
        All.SingleOrDefault(p => p.Name == name) ?? throw new ArgumentException($"the lab has no CNI plug-in '{name}'; it has {string.Join(", ", Names)}");
}
