using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace MeshFabric.Netlink;

/// <summary>Runs a short piece of code inside another network namespace, on a thread of its own that ends with it.</summary>
/// <remarks>
/// A namespace belongs to a thread, and threads started from one inherit it: only open raw or netlink sockets here.
/// A managed connect would start a pool thread inside the namespace, for good.
/// </remarks>
public static class NamespaceThread
{
    const int CloneNewNet = 0x40000000;

    public static T Run<T>(string namespacePath, Func<T> open)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Enter(namespacePath);
                result = open();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        {
            IsBackground = true,
            Name = "network namespace",
        };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }

    static void Enter(string path)
    {
        var fd = Libc.Open(path, Libc.SockCloexec);
        if (fd < 0)
        {
            throw new NetlinkException($"opening the network namespace {path}", Marshal.GetLastPInvokeError());
        }

        var result = Libc.SetNs(fd, CloneNewNet);
        var error = Marshal.GetLastPInvokeError();
        _ = Libc.Close(fd);
        if (result != 0)
        {
            throw new NetlinkException($"entering the network namespace {path}", error);
        }
    }
}
