"""Dashboard: a study in numbers, kept as tables from which its page draws plots; each can be downloaded."""
