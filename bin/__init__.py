"""The runtime: commands, and `bootstrap`, where both wings meet."""
