"""Adding and removing pairs while the others keep trading."""
