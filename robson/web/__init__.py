"""Health and metrics over HTTP: read-only, on an address of the operator's choice."""
