"""A backtest as one page that opens offline: plots by plotly, everything inside the file."""
