"""From a durable intent to a settled order: nothing is sent twice and nothing in doubt is guessed."""
