"""Published weights and their one-off conversion to model packages.

Imports `training.networks` and `training.table`.
"""
