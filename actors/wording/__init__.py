"""All words that people read: values in, notices out; no state, no clock.

Each notice is plain text of lines that fit a phone; its first line is its title. Channels add the
markup that they know.
"""
