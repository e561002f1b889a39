"""Paper trading: Bybit's real market, and an account of our own that nobody else knows.

The data's way: `memory` (the account on disk), `account` (the matching engine and its money),
`exchange` (orders and prices meet), `unseen` (what happened while nobody watched), `connection`.
"""
