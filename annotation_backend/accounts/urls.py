"""Addresses for signing in and out, and of a person's own account; of allauth's, those that are of use here."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as socialaccount
from django.urls import path

from annotation_backend.accounts import oidc
from annotation_backend.accounts.sessions import Sessions, SignOut
from annotation_backend.accounts.sessions import account as own_account
from annotation_backend.accounts.sign_in import ForgottenPassword, SignIn

_password = [
    path("accounts/password/change/", account.password_change, name="account_change_password"),
    path("accounts/password/set/", account.password_set, name="account_set_password"),
    path("accounts/password/reset/", ForgottenPassword.as_view(), name="account_reset_password"),
    path("accounts/password/reset/done/", account.password_reset_done, name="account_reset_password_done"),
    path(
        "accounts/password/reset/key/done/",
        account.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path(
        "accounts/password/reset/key/<slug:uidb36>-<str:key>/",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]

_second_factor = [
    path("accounts/2fa/", mfa.index, name="mfa_index"),
    path("accounts/2fa/authenticate/", mfa.authenticate, name="mfa_authenticate"),
    path("accounts/2fa/reauthenticate/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("accounts/2fa/totp/activate/", totp.activate_totp, name="mfa_activate_totp"),
    path("accounts/2fa/totp/deactivate/", totp.deactivate_totp, name="mfa_deactivate_totp"),
    path("accounts/2fa/recovery-codes/", recovery_codes.view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "accounts/2fa/recovery-codes/generate/",
        recovery_codes.generate_recovery_codes,
        name="mfa_generate_recovery_codes",
    ),
    path(
        "accounts/2fa/recovery-codes/download/",
        recovery_codes.download_recovery_codes,
        name="mfa_download_recovery_codes",
    ),
    path("accounts/2fa/passkeys/", webauthn.list_webauthn, name="mfa_list_webauthn"),
    path("accounts/2fa/passkeys/add/", webauthn.add_webauthn, name="mfa_add_webauthn"),
    path("accounts/2fa/passkeys/login/", webauthn.login_webauthn, name="mfa_login_webauthn"),
    path("accounts/2fa/passkeys/reauthenticate/", webauthn.reauthenticate_webauthn, name="mfa_reauthenticate_webauthn"),
    path("accounts/2fa/passkeys/<int:pk>/remove/", webauthn.remove_webauthn, name="mfa_remove_webauthn"),
    path("accounts/2fa/passkeys/<int:pk>/edit/", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
]

_oidc = [
    path("accounts/oidc/<str:provider_id>/login/", oidc.sign_in, name="openid_connect_login"),
    path("accounts/oidc/<str:provider_id>/login/callback/", oidc.callback, name="openid_connect_callback"),
    path("accounts/oidc/cancelled/", socialaccount.login_cancelled, name="socialaccount_login_cancelled"),
    path("accounts/oidc/error/", socialaccount.login_error, name="socialaccount_login_error"),
]

urlpatterns = [
    path("accounts/login/", SignIn.as_view(), name="account_login"),
    path("accounts/login/", SignIn.as_view(), name="login"),
    path("accounts/logout/", SignOut.as_view(), name="account_logout"),
    path("accounts/logout/", SignOut.as_view(), name="logout"),
    path("accounts/", own_account, name="account"),
    path("accounts/closed/", account.account_inactive, name="account_inactive"),
    path("accounts/reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("accounts/sessions/", Sessions.as_view(), name="usersessions_list"),
    *_password,
    *_second_factor,
    *_oidc,
]
"""Signing in and out have the name under which allauth looks for them, and the one that pages here use."""
