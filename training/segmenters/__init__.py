"""Segmenters: one file a method, one interface (`segmenter.py`), one way to load them (`loading.py`)."""
