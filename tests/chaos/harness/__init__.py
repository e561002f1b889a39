"""Kills and misleads whole systems by seed, and checks the exchange's own records afterwards."""
