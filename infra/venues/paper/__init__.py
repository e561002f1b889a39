"""Paper trading: Bybit's real market, and a local account unknown to the venue.

The data flow: `memory` (the account on disk), `account` (the matching engine and its money),
`exchange` (orders meet prices), `offline_catch_up` (what happened without prices), `connection`.
"""
