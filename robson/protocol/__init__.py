"""What travels over the control socket: requests, results, events and errors, and the one table of commands."""

PROTOCOL_VERSION = 1
