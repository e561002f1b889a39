"""The page in a browser, a process of its own: it only reads the run, and passes on presses."""
