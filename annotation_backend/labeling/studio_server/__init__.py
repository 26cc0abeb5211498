"""Running our Label Studio: its settings, its accounts, and the addresses that it may send to.

Imports `labeling.studio` and `labeling.studio_door`.
"""
