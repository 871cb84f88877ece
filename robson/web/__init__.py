"""Reading over HTTP: health and metrics for whoever watches over the daemon."""
