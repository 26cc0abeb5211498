"""Snapshots of approved masks, training runs, and the models that come of them."""
