"""Addresses of releases, and of what comes after them."""

from django.urls import path

from annotation_backend.publishing import views
from annotation_backend.publishing.correcting import views as correcting

of_a_study = [
    path("releases/", views.release_list, name="release-list"),
    path("releases/errata/", correcting.erratum_list, name="erratum-list"),
    path("releases/errata/<int:number>/", correcting.erratum_page, name="erratum-page"),
    path("releases/withdrawals/", correcting.withdrawal_list, name="withdrawal-list"),
    path("releases/<int:pk>/", views.release_page, name="release-page"),
    path("releases/<int:pk>/download", views.download, name="release-download"),
    path("releases/<int:pk>/download/<int:number>", views.download_part, name="release-part"),
    path("releases/<int:pk>/patch", views.download_patch, name="release-patch"),
    path("releases/<int:pk>/report/", correcting.erratum_report, name="erratum-report"),
    path("releases/<int:pk>/<slug:kind>.json", correcting.beside_release, name="release-beside"),
    path("releases/<int:pk>/changes/<slug:kind>.png", correcting.change_picture, name="release-change"),
]
