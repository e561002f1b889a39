"""The web page, in a process of its own: it only reads the run, and passes on commands."""
