"""When a study trains again: its settings, what is due, and the asks that wait."""
