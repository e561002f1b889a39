"""The actors: supervised, they run in real time and send each other messages."""
