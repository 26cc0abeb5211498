"""Studies: each a dataset in the making, with its protocol and its people."""
