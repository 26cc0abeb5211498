"""Addresses of cases, patients and registrations, each of a study, and of pictures by capability."""

from django.urls import path

from annotation_backend.cases.views import cases, registrations, report

of_a_study = [
    path("cases/", cases.case_list, name="case-list"),
    path("cases/registrations/", registrations.registration_queue, name="registration-queue"),
    path("cases/report/", report.cohort_report, name="cohort-report"),
    path("cases/patients/<slug:code>/", cases.patient_page, name="patient-page"),
    path("cases/<slug:code>/", cases.case_page, name="case-page"),
    path("cases/<slug:code>/checkerboard.png", cases.checkerboard, name="case-checkerboard"),
    path("cases/<slug:code>/thumbnails/<slug:kind>.png", cases.thumbnail, name="case-thumbnail"),
    path("cases/<slug:code>/registration/", registrations.registration_page, name="registration-page"),
    path(
        "cases/<slug:code>/registration/<slug:role>/",
        registrations.registration_page,
        name="registration-of-image",
    ),
    path(
        "cases/<slug:code>/registration/<slug:role>/<slug:kind>/<int:index>.png",
        registrations.registration_slice,
        name="registration-slice",
    ),
    path("cases/<slug:code>/<slug:role>/<int:index>.png", cases.slice_picture, name="slice-picture"),
]

urlpatterns = [
    path("pictures/<str:token>.png", cases.capability_picture, name="capability-picture"),
]
