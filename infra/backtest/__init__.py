"""Plays the runs of a sweep: on the cores of this machine, or on a Dask cluster."""
