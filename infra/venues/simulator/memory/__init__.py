"""What an exchange remembers beyond its own death: written down line by line, read at its start."""
