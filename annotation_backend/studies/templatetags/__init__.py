"""Template tags of a study's pages; every template has them."""
