"""Addresses of a study's people, and of invitations."""

from django.urls import path

from annotation_backend.studies import views

of_a_study = [path("people/", views.people, name="people")]

urlpatterns = [path("accounts/invitation/<str:token>/", views.invitation, name="invitation")]
