"""Positions alive: each in its own child nursery, all decisions through one record, all commands through one desk."""
