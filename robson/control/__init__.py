"""The control socket: requests as lines of JSON over a Unix socket, answered through robson.protocol.Operations."""

from robson.control.server import serve

__all__ = ["serve"]
