"""The live picture of a running system: a pure drawing of its snapshot, and the keys under it."""
