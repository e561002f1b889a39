"""Where people read: the stored outbox, and the channels that empty it, each in its own thread.

The data's way: `outbox` (stores, decides which channels), `deliveries` (one channel's part of it),
`carrier` (a channel's thread), `telegram` and `services` (what a channel speaks).
"""
