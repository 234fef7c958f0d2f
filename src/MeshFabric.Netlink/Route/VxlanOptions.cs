using System.Net;
using System.Net.NetworkInformation;

namespace MeshFabric.Netlink.Route;

/// <param name="Vni">Virtual network identifier, 24 bits.</param>
/// <param name="Local">Address of this host that outer packets come from.</param>
/// <param name="Port">UDP port of outer packets.</param>
/// <param name="HardwareAddress">Null: the kernel makes one up.</param>
public sealed record VxlanOptions(uint Vni, IPAddress Local, ushort Port, PhysicalAddress? HardwareAddress);
