"""The registered models, and the one that serves each kind of prompt."""
