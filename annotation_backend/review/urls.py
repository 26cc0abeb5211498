"""Addresses of the review queue and its cases."""

from django.urls import path

from annotation_backend.review import views

of_a_study = [
    path("review/", views.review_queue, name="review-queue"),
    path("review/<slug:code>/", views.review_case, name="review-case"),
    path("review/masks/<int:mask_id>/<slug:role>/<int:index>.png", views.slice_with_mask, name="slice-with-mask"),
]
