"""Template tags of releases."""
