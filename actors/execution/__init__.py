"""The execution of one asset: `actor.py` is its table of contents, the rest are its parts.

Parts know each other in one direction only: closes and entries -> orders; stops and flattening ->
closes; reconciler -> all of these. What must go the other way, the actor passes on.
"""
