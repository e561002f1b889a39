"""A simulated exchange that speaks Bybit's V5 over real sockets.

The parts in the order of data flow:

- prices: a seed or files plan candles, each symbol follows its own plan, the market is all of
  them; bars are candles of other intervals.
- trading: an order is checked, matched, triggered and booked; stops follow the position.
- books: the account, its positions by key, what they require, and how they are reported.
- shapes: all of it as JSON.
- streams and rest: how it is pushed and queried, including order entry by WebSocket; wire and gate
  come before both.
- memory: the state file, and how an exchange continues from it.
- faults and manual: injected faults, and actions by hand; control takes requests for both.
- profiles name market days; recording records all traffic and plays it back.

The timeline runs events one after another; core assembles the parts, exchange starts it.
"""
