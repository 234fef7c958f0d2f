using MeshFabric.Echo;

// mfecho serve: the servers of a test's pod. mfecho get URL [SECONDS]: one request, the answer's body to the output.
return args switch
{
    ["serve"] => await EchoServers.RunAsync(),
    ["get", var url, .. var seconds] when Uri.TryCreate(url, UriKind.Absolute, out var uri) => await HttpGet.RunAsync(uri, TimeSpan.FromSeconds(seconds is [var s] ? double.Parse(s, System.Globalization.CultureInfo.InvariantCulture) : 5)),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("mfecho serve | mfecho get URL [SECONDS]");
    return 2;
}
