"""Addresses of the audit log, of active times, and of the signs of work that open pages send."""

from django.urls import path

from annotation_backend.audit import views

of_a_study = [
    path("audit/", views.audit_log, name="audit-log"),
    path("audit/log.csv", views.audit_csv, name="audit-csv"),
    path("audit/active-time.csv", views.active_time_csv, name="active-time-csv"),
    path("activity", views.activity, name="activity"),
]
