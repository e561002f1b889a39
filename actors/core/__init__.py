"""Supervision for Pykka: addresses that outlive their actors. Knows nothing of trading.

Read in this order: `messages`, `envelope`, `work`, `mailbox`, `system`, `actor`, `supervisor`.
"""
