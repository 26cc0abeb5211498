"""Addresses of the review queue, its cases, what their viewer shows, and comments and corrections."""

from django.urls import path

from annotation_backend.review import views
from annotation_backend.review.comments import views as comments
from annotation_backend.review.corrections import views as corrections
from annotation_backend.review.viewing import views as viewing

of_a_study = [
    path("review/", views.review_queue, name="review-queue"),
    path("review/<slug:code>/", views.review_case, name="review-case"),
    path("review/<slug:code>/next", views.next_case, name="review-next"),
    path("review/<slug:code>/correct", corrections.correct_case, name="review-correct"),
    path("review/<slug:code>/comments/", comments.case_comments, name="review-comments"),
    path("review/<slug:code>/comments/<int:pk>", comments.answer_comment, name="review-comment"),
    path("review/<slug:code>/volumes/<slug:role>.nii", viewing.volume, name="review-volume"),
    path("review/<slug:code>/models/<int:pk>.nii", viewing.model_mask, name="review-model-mask"),
    path("review/<slug:code>/uncertainty/<int:pk>.nii", viewing.uncertainty_map, name="review-uncertainty"),
    path("review/masks/<int:mask_id>.nii", viewing.mask_volume, name="review-mask"),
    path("review/masks/<int:mask_id>.nii.gz", viewing.mask_download, name="review-mask-download"),
    path("review/masks/<int:mask_id>/figures", viewing.figures, name="review-figures"),
    path("review/masks/<int:mask_id>/<slug:role>/<int:index>.png", views.slice_with_mask, name="slice-with-mask"),
]
