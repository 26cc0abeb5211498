"""The address of the models."""

from django.urls import path

from annotation_backend.registry import views

of_a_study = [
    path("models/", views.model_list, name="model-list"),
]
