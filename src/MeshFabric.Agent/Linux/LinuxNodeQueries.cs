using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Netlink;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Agent.Linux;

/// <summary>The host that the agent runs on.</summary>
/// <param name="network">Path of another network namespace to look at; null for the own one.</param>
sealed class LinuxNodeQueries(string? network = null) : INodeQueries
{
    // rtm_protocol of the routes that Calico's BIRD and Felix make (linux/rtnetlink.h; 80 is Felix' default).
    const byte BirdProtocol = 12;
    const byte FelixProtocol = 80;
    // RTPROT_BOOT: what Felix left to the default before it had a protocol of its own.
    const byte BootProtocol = 3;
    const string PodLink = "cali";
    static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(2);

    public IReadOnlyList<NodeLink> Links()
    {
        using var netlink = RouteNetlink.Open(network);
        var addresses = netlink.Addresses().Where(a => !a.Address.IsIPv6LinkLocal).ToLookup(a => a.LinkIndex);
        return netlink.Links()
            .Select(l => new NodeLink(l.Name, l.Kind, l.Mtu, addresses[l.Index].Select(a => Cidr.Host(a.Address)).Distinct().Order().ToValueList()))
            .ToList();
    }

    public IReadOnlyList<Cidr> CalicoBlocks()
    {
        using var netlink = RouteNetlink.Open(network);
        var blocks = netlink.Blackholes().Where(r => r.Protocol is BirdProtocol or FelixProtocol).Select(r => r.Destination).ToList();
        // Canal has the same devices, and no blocks.
        return blocks.Count == 0 ? [] : [.. blocks, .. Borrowed(netlink, blocks)];
    }

    // Pods whose addresses are of another node's block, which Calico's IPAM gives out when all blocks are taken.
    static IEnumerable<Cidr> Borrowed(RouteNetlink netlink, List<Cidr> blocks)
    {
        var pods = netlink.Links().Where(l => l.Name.StartsWith(PodLink, StringComparison.Ordinal)).Select(l => l.Index).ToHashSet();
        return new[] { BootProtocol, FelixProtocol }.SelectMany(netlink.Routes)
            .Where(r => r.Table == DeviceRoute.MainTable && r.Hops is [{ Gateway: null } hop] && pods.Contains(hop.LinkIndex))
            .Select(r => r.Destination)
            .Where(d => d.Equals(Cidr.Host(d.Address)) && !blocks.Any(b => b.Contains(d)));
    }

    public async Task<string?> RunAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            var (code, output, _) = network is null
                ? await Tool.RunAsync(program, arguments, "", cancellationToken)
                : await Tool.RunAsync("nsenter", [$"--net={network}", program, .. arguments], "", cancellationToken);
            return code == 0 ? output : null;
        }
        catch (InvalidOperationException)
        {
            // Not installed: then nothing on this host was made with it either, as far as anybody could tell.
            return null;
        }
    }

    public async Task<string?> GetAsync(Uri address, CancellationToken cancellationToken)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { Timeout = AnswerLimit };
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        try
        {
            using var response = await http.SendAsync(request, cancellationToken);
            return response.StatusCode == HttpStatusCode.OK ? await response.Content.ReadAsStringAsync(cancellationToken) : null;
        }
        catch (Exception e) when (e is HttpRequestException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }
}
