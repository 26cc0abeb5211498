"""nnU-Net in an environment of its own: a dataset goes out, a result folder comes back as a package.

Imports nothing else of `training.exchange`.
"""
