"""The state that an exchange keeps across restarts: written line by line, read at the start."""
