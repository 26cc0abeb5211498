"""nnU-Net in an environment of its own: a dataset goes out, a result folder comes back as a package.

Imports `training.exchange.imported`.
"""
