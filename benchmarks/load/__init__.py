"""Load tests: many annotators or webhooks at once on a whole installation, and a check that no save was lost."""
