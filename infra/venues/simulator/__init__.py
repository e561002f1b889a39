"""A simulated exchange that speaks Bybit's V5 over real sockets.

The parts in the order of the data's way:

- prices: a seed or files plan candles, each symbol follows its own, the market is all of them;
  bars are candles of other intervals.
- trading: an order is checked, matched, triggered and booked; stops follow the position.
- books: the account, its positions by key, what they require, and how they are reported.
- shapes: the JSON of all of it.
- streams and rest: how it is told and asked for, order entry by WebSocket included; wire and gate
  stand before both.
- memory: what is written down of it, and how an exchange goes on from there.
- faults and manual: what goes wrong, and what people do; control takes their requests.
- profiles name market days; recording writes all traffic down and plays it back.

The timeline lets them happen one after another; core is where they meet, exchange starts it.
"""
