"""What systemd and a service say to each other: notifications, inherited sockets, the journal."""
