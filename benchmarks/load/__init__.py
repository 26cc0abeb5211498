"""Many annotators or webhooks at once on a whole installation, and what became of each save."""
