"""Examples to copy: a strategy of one's own, and the portfolio system from Python."""
