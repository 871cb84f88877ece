"""Binance's public prices: stream frames, the sockets they come by, and what REST knows of the past."""
