"""A simulated exchange that speaks Bybit's V5 over real sockets.

The parts in the order of the data's way:

- prices: a seed or files plan candles, a course goes through each, the market is all courses.
- trading: an order is checked, matched, triggered and booked; stops follow the position.
- books: the account, what it requires, and how a position is reported.
- shapes: the JSON of all of it.
- streams and rest: how it is told and asked for; wire and gate stand before both.
- memory: what is written down of it, and how an exchange goes on from there.
- faults and hands: what goes wrong, and what people do; control takes their wishes.

The timeline lets them happen one after another; core is where they meet, exchange starts it.
"""
