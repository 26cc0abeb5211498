"""Speed of trainings, beside their peers."""
