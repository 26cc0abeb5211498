"""When a study trains again, and how: its settings, what is due, the asks that wait, and the folds that are kept."""
