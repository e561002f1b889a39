"""The roof: commands, and `bootstrap`, where both wings meet."""
