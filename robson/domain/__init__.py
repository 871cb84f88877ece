"""The words and facts of the trade: values, instruments, positions, events, stimuli and actions."""
