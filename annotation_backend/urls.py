"""All addresses: those of a study below its name, and those that belong to none."""

from django.urls import include, path

from annotation_backend import views
from annotation_backend.accounts import urls as accounts
from annotation_backend.audit import urls as audit
from annotation_backend.cases import urls as cases
from annotation_backend.dashboard import urls as dashboard
from annotation_backend.labeling import urls as labeling
from annotation_backend.learning.pages import urls as learning
from annotation_backend.pages import former, home, protocol_change, study_start
from annotation_backend.publishing import urls as publishing
from annotation_backend.readers import urls as readers
from annotation_backend.review import urls as review
from annotation_backend.studies import urls as studies
from annotation_backend.work import urls as work

handler500 = views.server_error

of_a_study = [
    path("", study_start.start, name="study"),
    path("protocol.toml", study_start.protocol_document, name="study-protocol"),
    path("protocol/", protocol_change.protocol_change, name="protocol-change"),
    *(one for app in (studies, cases, learning, labeling, review, readers, work) for one in app.of_a_study),
    *(one for app in (publishing, audit, dashboard) for one in app.of_a_study),
]
"""Below ``/studies/<name>/``; each view is a `studies.pages.study_page`."""

urlpatterns = [
    path("", home.home, name="home"),
    path("alive", views.alive, name="alive"),
    path("guide/", views.guide, name="guide"),
    *(one for app in (accounts, studies, cases, labeling, work) for one in app.urlpatterns),
    path("studies/<slug:study>/", include(of_a_study)),
    *former.urlpatterns,
]
