"""The execution of one asset: `actor.py` is its table of contents, the rest are its parts.

In the order of an order's life, each part knows only those before it: `orders.py` (the transitions
of an order), `entries.py`, `exits.py`, `stops/`, `reconciliation/`. They share `context.py`,
request reconciliation through `agenda.py`, and notify through `alarms.py`.
"""
