"""Pages of a study's models and runs, over `learning.runs` and `learning.retraining`."""
