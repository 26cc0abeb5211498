"""Template tags by which other apps show findings and versions."""
