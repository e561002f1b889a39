"""The portfolio system as Python objects, for scripts: percent outside, the domain's rules inside.

Nothing is stored here: `bin/run-actors` is what trades unattended and survives a crash.
"""
