"""Addresses of people's work."""

from django.urls import path

from annotation_backend.work import managing, views

of_a_study = [
    path("my-work/", views.my_work, name="my-work"),
    path("my-work/next-slice", views.next_slice, name="next-slice"),
    path("my-work/next-case", views.next_case, name="next-case"),
    path("my-work/<int:pk>", views.own_piece, name="own-piece"),
    path("work/", managing.work_table, name="work-table"),
    path("work/verdicts/", managing.bulk_verdicts, name="bulk-verdicts"),
]

urlpatterns = [
    path("landing/", views.landing, name="landing"),
]
