"""Examples to copy: a strategy of your own, and the portfolio system from Python."""
