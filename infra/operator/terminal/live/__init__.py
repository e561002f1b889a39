"""The live view of a running system: a pure rendering of its snapshot, and its keys."""
