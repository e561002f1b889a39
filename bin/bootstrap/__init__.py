"""Assembly of runs: live ones, replays, and what both share."""
