"""Supervision for Pykka: addresses that outlive their actors. Knows nothing of trading.

Read in this order: `messages`, `envelope`, `work`, `mailbox`, `trace`, `system`, `calls`, `actor`,
`supervisor`; `rerun` plays a recorded incarnation again.
"""
