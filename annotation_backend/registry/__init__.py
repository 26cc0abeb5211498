"""Which models exist, and which one serves each kind of prompt."""
