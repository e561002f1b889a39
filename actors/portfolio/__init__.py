"""The portfolio: `actor.py` is its table of contents, the rest are its parts.

Parts depend on each other in one direction only: decisions -> protections and reservations;
watching -> protections; executions and money -> watching. What must go the other way, the actor
passes on.
"""
