"""One file a layout: what its tree needs, and how its files become cases. `datasets.public.recognise` lists them.

Imports no room beside it.
"""
