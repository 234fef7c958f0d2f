using MeshFabric.Net;

namespace MeshFabric.Netlink.NfTables;

/// <summary>A stateless one-to-one translation, as it concerns the addresses inside ICMP errors.</summary>
/// <param name="Local">What the cluster itself uses.</param>
/// <param name="Outside">What others see instead; same family and length as <paramref name="Local"/>.</param>
/// <param name="Destinations">Outgoing errors to these only; empty: to any that no earlier translation of the same local prefix names.</param>
public sealed record IcmpTranslation(Cidr Local, Cidr Outside, ValueList<Cidr> Destinations);
