"""Notifications: the stored outbox, and the channels that empty it, each in its own thread.

The data flow: `outbox` (stores, chooses the channels), `infra.store.deliveries` (one channel's part
of it), `carrier` (a channel's thread), `telegram` and `services` (a channel's protocol).
"""
