"""Addresses of the models and runs."""

from django.urls import path

from annotation_backend.learning.pages import changes, models, runs

of_a_study = [
    path("models/", models.model_list, name="model-list"),
    path("models/compare/", models.model_compare, name="model-compare"),
    path("models/back", changes.back, name="model-back"),
    path("models/retraining", changes.retraining, name="model-retraining"),
    path("model/<int:pk>/", models.model_page, name="model-page"),
    path("model/<int:pk>/trace.json", models.model_trace, name="model-trace"),
    path("model/<int:pk>/promote", changes.promote_model, name="model-promote"),
    path("runs/<int:pk>/", runs.run_page, name="run-page"),
    path("runs/<int:pk>/pictures/<str:code>.png", runs.run_picture, name="run-picture"),
]
