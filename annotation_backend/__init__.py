"""The Django project: records, people, Label Studio, predictions, review, jobs, pages, commands."""
