"""Where prices come from, and how each tick reaches everything that waits for it."""
