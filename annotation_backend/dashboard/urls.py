"""Addresses of a study's dashboard and its figures."""

from django.urls import path

from annotation_backend.dashboard import views

of_a_study = [
    path("dashboard/", views.dashboard, name="dashboard"),
    path("dashboard/<slug:figure>.csv", views.figure_csv, name="figure-csv"),
]
