"""The account's positions, money and margin, and how they are reported."""
