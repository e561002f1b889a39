"""Runs backtests and sweeps: on the cores of this machine, or on a Dask cluster."""
