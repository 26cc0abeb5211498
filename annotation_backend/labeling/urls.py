"""Addresses of the ML backend that Label Studio asks, of a slice's versions, of findings and settings."""

from django.urls import path

from annotation_backend.labeling.views import ml_backend, settings, studio, versions, webhook

of_a_study = [
    path("studio/", studio.studio_of_study, name="studio-of-study"),
    path("studio/<slug:code>/<int:index>/", studio.studio_of_slice, name="studio-of-slice"),
    path("settings/", settings.settings_page, name="project-settings"),
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
    path("findings/<int:pk>/drawer", versions.finding_annotator, name="finding-drawer"),
    path("findings/changes/<int:pk>/seen", versions.change_seen, name="change-seen"),
]

urlpatterns = [
    path("studio/", studio.studio, name="studio"),
    path("label-studio/entries", studio.entries, name="studio-entries"),
    path("label-studio/permits", studio.permits, name="studio-permits"),
    path("ml/health", ml_backend.health, name="ml-health"),
    path("ml/setup", ml_backend.setup, name="ml-setup"),
    path("ml/predict", ml_backend.predict, name="ml-predict"),
    path("ml/versions", ml_backend.versions, name="ml-versions"),
    path("ml/webhook", webhook.webhook, name="ml-webhook"),
]
