"""What the kernel knows of a socket's other end: who it is, and that it has hung up."""

import select
import socket
import struct

import trio

from robson.protocol.operations import Caller


def peer_of(stream: trio.SocketStream) -> Caller:
    """Who is at the other end, as the kernel knows it."""
    credentials = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    assert isinstance(credentials, bytes), credentials
    pid, uid, gid = struct.unpack("3i", credentials)
    return Caller(uid=uid, pid=pid, gid=gid)


async def hang_up(peer: trio.socket.SocketType) -> None:
    """Wait until the client closes its end wholly; a half-closed client still listens.

    After the end of input the socket is readable for ever, so only an epoll that asks for nothing but the hang-up,
    which is always reported, can wait for it.
    """
    with select.epoll() as hang_up:
        hang_up.register(peer.fileno(), 0)
        await trio.lowlevel.wait_readable(hang_up.fileno())
