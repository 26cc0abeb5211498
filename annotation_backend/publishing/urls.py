"""Addresses of releases."""

from django.urls import path

from annotation_backend.publishing import views

of_a_study = [
    path("releases/", views.release_list, name="release-list"),
    path("releases/<int:pk>/", views.release_page, name="release-page"),
    path("releases/<int:pk>/download", views.download, name="release-download"),
    path("releases/<int:pk>/download/<int:number>", views.download_part, name="release-part"),
    path("releases/<int:pk>/patch", views.download_patch, name="release-patch"),
]
