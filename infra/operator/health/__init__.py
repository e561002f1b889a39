"""The health of the process, its machine and its connections: figures, limits and their readers."""
