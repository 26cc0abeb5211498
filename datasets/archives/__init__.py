"""Archives that strangers packed, unpacked into a folder of ours: nothing outside of it, nothing without a limit.

Imports no room beside it.
"""
