"""All texts of notices: values in, notices out; no state, no clock.

Each notice is plain text with lines that fit a phone; its first line is its title. Channels add
their own markup.
"""
