"""What the account owns and owes: positions, money, margin, and how they are reported."""
