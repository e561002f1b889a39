"""The checks of `bin/check`: the machine, the market and the account. Nothing is ever changed."""
