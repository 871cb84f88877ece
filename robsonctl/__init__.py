"""The shell and scripting client: protocol in, text out, over the daemon's Unix socket."""
