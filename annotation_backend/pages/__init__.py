"""Pages that belong to no app: home, a study's first page, and addresses from before there were studies.

Imports `accounts`, `studies` and the apps whose work they show: `cases`, `labeling`, `review`, `work`, `publishing`;
also `supervision`.
"""
