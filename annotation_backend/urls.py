"""All addresses."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from annotation_backend import views
from annotation_backend.accounts.sign_in import SignIn
from annotation_backend.cases.views import cases, registrations
from annotation_backend.cases.views import report as reports
from annotation_backend.labeling.views import ml_backend, versions, webhook
from annotation_backend.labeling.views import settings as settings_views
from annotation_backend.publishing import views as publishing
from annotation_backend.registry import views as registry
from annotation_backend.review import views as review

handler500 = views.server_error

urlpatterns = [
    path("", views.home, name="home"),
    path("alive", views.alive, name="alive"),
    path("guide/", views.guide, name="guide"),
    path("settings/", settings_views.settings_page, name="project-settings"),
    path("accounts/login/", SignIn.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
    path("cases/", cases.case_list, name="case-list"),
    path("cases/registrations/", registrations.registration_queue, name="registration-queue"),
    path("cases/report/", reports.cohort_report, name="cohort-report"),
    path("cases/patients/<slug:code>/", cases.patient_page, name="patient-page"),
    path("cases/<slug:code>/", cases.case_page, name="case-page"),
    path("cases/<slug:code>/checkerboard.png", cases.checkerboard, name="case-checkerboard"),
    path("cases/<slug:code>/thumbnails/<slug:kind>.png", cases.thumbnail, name="case-thumbnail"),
    path("cases/<slug:code>/registration/", registrations.registration_page, name="registration-page"),
    path(
        "cases/<slug:code>/registration/<slug:kind>/<int:index>.png",
        registrations.registration_slice,
        name="registration-slice",
    ),
    path("cases/<slug:code>/<slug:role>/<int:index>.png", cases.slice_picture, name="slice-picture"),
    path("pictures/<str:token>.png", cases.capability_picture, name="capability-picture"),
    path("models/", registry.model_list, name="model-list"),
    path("ml/health", ml_backend.health, name="ml-health"),
    path("ml/setup", ml_backend.setup, name="ml-setup"),
    path("ml/predict", ml_backend.predict, name="ml-predict"),
    path("ml/versions", ml_backend.versions, name="ml-versions"),
    path("ml/webhook", webhook.webhook, name="ml-webhook"),
    path("cases/<slug:code>/slices/<int:index>/versions/", versions.slice_versions, name="slice-versions"),
    path(
        "cases/<slug:code>/slices/<int:index>/versions/<int:one>/<int:other>/",
        versions.compare_versions,
        name="compare-versions",
    ),
    path(
        "cases/<slug:code>/slices/<int:index>/versions/<int:one>/<int:other>.png",
        versions.comparison_picture,
        name="comparison-picture",
    ),
    path(
        "cases/<slug:code>/slices/<int:index>/versions/<int:number>/restore",
        versions.restore_version,
        name="restore-version",
    ),
    path("findings/", versions.finding_list, name="finding-list"),
    path("findings/<int:pk>/seen", versions.finding_seen, name="finding-seen"),
    path("findings/<int:pk>/drawer", versions.finding_drawer, name="finding-drawer"),
    path("findings/changes/<int:pk>/seen", versions.change_seen, name="change-seen"),
    path("review/", review.review_queue, name="review-queue"),
    path("review/<slug:code>/", review.review_case, name="review-case"),
    path("review/masks/<int:mask_id>/<slug:role>/<int:index>.png", review.slice_with_mask, name="slice-with-mask"),
    path("releases/", publishing.release_list, name="release-list"),
    path("releases/<int:pk>/", publishing.release_page, name="release-page"),
    path("releases/<int:pk>/download", publishing.download, name="release-download"),
]
