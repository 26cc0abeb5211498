"""Addresses of people's work."""

from django.urls import path

from annotation_backend.work.views import managing, own_pages

of_a_study = [
    path("my-work/", own_pages.my_work, name="my-work"),
    path("my-work/next-slice", own_pages.next_slice, name="next-slice"),
    path("my-work/next-case", own_pages.next_case, name="next-case"),
    path("my-work/<int:pk>", own_pages.own_piece, name="own-piece"),
    path("work/", managing.work_table, name="work-table"),
    path("work/verdicts/", managing.bulk_verdicts, name="bulk-verdicts"),
]

urlpatterns = [
    path("landing/", own_pages.landing, name="landing"),
]
