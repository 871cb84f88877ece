"""The rules of the trade: pure functions of states, stimuli and numbers."""
