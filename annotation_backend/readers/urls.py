"""Addresses of agreement, adjudication and control cases."""

from django.urls import path

from annotation_backend.readers.views import adjudication, agreement, controls

of_a_study = [
    path("agreement/", agreement.agreement, name="agreement"),
    path("agreement.csv", agreement.agreement_csv, name="agreement-csv"),
    path("agreement/<slug:code>/", agreement.agreement_of_case, name="agreement-case"),
    path("adjudication/", adjudication.adjudication_list, name="adjudication-list"),
    path("adjudication/<slug:code>/", adjudication.adjudication, name="adjudication"),
    path(
        "adjudication/<slug:code>/<slug:role>/<int:index>.png",
        adjudication.adjudication_picture,
        name="adjudication-picture",
    ),
    path("controls/", controls.controls, name="control-list"),
    path("controls.csv", controls.controls_csv, name="controls-csv"),
    path("controls/mine/", controls.own_controls, name="own-controls"),
    path("controls/mine/<int:pk>/<int:index>.png", controls.own_picture, name="own-control-picture"),
]
