"""The daemon as a service: what it tells the service manager, the proof that it is alive, and settings read again."""
