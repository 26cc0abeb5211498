"""Which decoding of saves counts today."""

DECODING = 2
"""Goes up whenever the same save may be decoded to other masks; what an earlier one decoded is decoded anew.

1: up to version 5410d34. 2: a mask that is faint throughout counts as drawn, one of several faint alphas is unreadable.
"""
