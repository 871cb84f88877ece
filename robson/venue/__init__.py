"""Venues: the isolated-margin ledger, and what answers for it."""
