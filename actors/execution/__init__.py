"""The execution of one asset: `actor.py` is its table of contents, the rest are its parts.

In the order of an order's life, each part knows those before it: `orders.py` (the transitions of
an order), `entries.py`, `exits.py`, `stops/`, `reconciliation/`. They share `context.py`, ask for
rounds of questions by `agenda.py`, and tell people by `alarms.py`.
"""
