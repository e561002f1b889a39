"""The wing that decides in time: supervised actors that tell each other messages."""
