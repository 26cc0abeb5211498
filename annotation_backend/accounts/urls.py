"""Addresses for signing in and out."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from annotation_backend.accounts.sign_in import SignIn

urlpatterns = [
    path("accounts/login/", SignIn.as_view(), name="login"),
    path("accounts/logout/", LogoutView.as_view(), name="logout"),
]
