"""MONAI Bundles: a package goes out as a bundle, and a bundle made elsewhere becomes a package.

Imports `training.exchange.imported`.
"""
