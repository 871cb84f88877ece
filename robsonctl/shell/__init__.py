"""The interactive shell, and the lists of commands that `robsonctl -c` obeys."""
