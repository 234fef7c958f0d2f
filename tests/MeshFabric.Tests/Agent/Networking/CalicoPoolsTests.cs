using System.Text.Json;
using CsCheck;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Net;
using MeshFabric.Tests.Net;

namespace MeshFabric.Tests.Agent.Networking;

/// <summary>Which of Calico's IPPools are made and deleted for the mesh.</summary>
public sealed class CalicoPoolsTests
{
    static readonly Cidr A = Cidr.Parse("10.1.0.0/16");
    static readonly Cidr B = Cidr.Parse("fd10:2::/48");

    [Fact]
    public void Each_prefix_gets_a_pool_that_gives_no_addresses_and_is_not_masqueraded_or_exported()
    {
        var (create, delete) = CalicoPools.Plan([Foreign("192.168.0.0/16")], [A, B]);
        Assert.Equal([A, B], create);
        Assert.Empty(delete);
        Assert.Equal("meshfabric-10-1-0-0-16", CalicoPools.NameOf(A));
        Assert.Equal("meshfabric-fd100002000000000000000000000000-48", CalicoPools.NameOf(B));
    }

    [Fact]
    public void A_pool_of_a_prefix_that_left_goes_and_one_that_is_good_stays() =>
        Assert.Equal((ValueList<Cidr>.Empty, new[] { CalicoPools.NameOf(B) }.ToValueList()), CalicoPools.Plan([Ours(A), Ours(B)], [A]));

    [Theory]
    [InlineData("disabled", false)]
    [InlineData("natOutgoing", true)]
    [InlineData("disableBGPExport", false)]
    public void One_of_ours_that_somebody_changed_is_made_anew(string setting, bool value) =>
        Assert.Equal((new[] { A }.ToValueList(), new[] { CalicoPools.NameOf(A) }.ToValueList()), CalicoPools.Plan([Ours(A, (setting, value))], [A]));

    [Fact]
    public void A_pool_of_the_administrators_is_never_deleted_and_what_it_covers_is_not_made_twice()
    {
        var (create, delete) = CalicoPools.Plan([Foreign("10.0.0.0/8")], [A, B]);
        Assert.Equal([B], create);
        Assert.Empty(delete);
    }

    [Fact]
    public void Every_name_is_one_that_the_API_takes_and_no_two_prefixes_share_one() => Gen.Select(CidrTests.AnyCidr, CidrTests.AnyCidr).Sample((a, b) =>
    {
        Assert.Matches("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", CalicoPools.NameOf(a));
        Assert.Equal(a == b, CalicoPools.NameOf(a) == CalicoPools.NameOf(b));
    });

    [Theory]
    [InlineData("1::2:3:0/112", "1:2::3:0/112")]
    [InlineData("10.1.0.0/16", "10.1.0.0/17")]
    public void Prefixes_that_look_alike_have_different_names(string a, string b) =>
        Assert.NotEqual(CalicoPools.NameOf(Cidr.Parse(a)), CalicoPools.NameOf(Cidr.Parse(b)));

    static JsonElement Ours(Cidr cidr, params (string Name, bool Value)[] changes)
    {
        var spec = new Dictionary<string, object> { ["cidr"] = cidr.ToString(), ["disabled"] = true, ["disableBGPExport"] = true, ["natOutgoing"] = false };
        foreach (var (name, value) in changes)
        {
            spec[name] = value;
        }

        return JsonSerializer.SerializeToElement(new { metadata = new { name = CalicoPools.NameOf(cidr), labels = new Dictionary<string, string> { [CalicoReading.ManagedBy] = CalicoReading.Us } }, spec });
    }

    static JsonElement Foreign(string cidr) => JsonSerializer.SerializeToElement(new { metadata = new { name = "default-ipv4-ippool" }, spec = new { cidr, natOutgoing = true } });
}
