"""Strategies: what waits for the one entry signal of an Armed position, and where its technical stop comes from."""
