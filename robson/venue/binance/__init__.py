"""Binance isolated margin over REST: a sans-io core (signing, codec, errors, budgets, clock) under a thin shell."""
