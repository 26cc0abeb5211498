"""How our Label Studio is run: its settings, its accounts, where it may send to.

Imports `labeling.studio`.
"""
