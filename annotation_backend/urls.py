"""All addresses: those of each app, and those that belong to none."""

from django.urls import include, path

from annotation_backend import views

handler500 = views.server_error

APPS = ("accounts", "cases", "registry", "labeling", "review", "publishing")

urlpatterns = [
    path("", views.home, name="home"),
    path("alive", views.alive, name="alive"),
    path("guide/", views.guide, name="guide"),
    *(path("", include(f"annotation_backend.{app}.urls")) for app in APPS),
]
