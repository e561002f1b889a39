"""The whole system in one thread: its order, its time and its misfortunes follow from a seed."""
