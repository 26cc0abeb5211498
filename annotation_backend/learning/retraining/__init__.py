"""When a study trains again by itself: its settings, what is due, and the asks that wait; runs are in `learning.runs`."""
