"""Version of the decoding of saves into masks."""

DECODING = 2
"""Goes up whenever the same save may be decoded to other masks; masks of an earlier version are decoded anew.

1: up to version 5410d34. 2: a mask that is faint throughout counts as drawn, one of several faint alphas is unreadable.
"""
