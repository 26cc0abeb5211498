"""Addresses for signing in and out, and of a person's own account; of allauth's, those that are of use here."""

from allauth.account import views as account
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.socialaccount import views as socialaccount
from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter
from django.views.decorators.http import require_http_methods

from annotation_backend.accounts import oidc
from annotation_backend.accounts.permissions import View
from annotation_backend.accounts.sessions import Sessions, SignOut
from annotation_backend.accounts.sessions import account as own_account
from annotation_backend.accounts.sign_in import ForgottenPassword, SignIn


class _Letters(StringConverter):
    """Letters and digits, without the hyphen that follows."""

    regex = "[0-9A-Za-z]+"


register_converter(_Letters, "letters")


def _page(where: str, view: View, name: str) -> URLPattern:
    """A page that is read, and whose form is sent; no other method reaches allauth."""
    return path(f"accounts/{where}", require_http_methods(["GET", "HEAD", "POST"])(view), name=name)


_password = [
    _page("password/change/", account.password_change, "account_change_password"),
    _page("password/set/", account.password_set, "account_set_password"),
    _page("password/reset/", ForgottenPassword.as_view(), "account_reset_password"),
    _page("password/reset/done/", account.password_reset_done, "account_reset_password_done"),
    _page("password/reset/key/done/", account.password_reset_from_key_done, "account_reset_password_from_key_done"),
    _page(
        "password/reset/key/<letters:uidb36>-<str:key>/",
        account.password_reset_from_key,
        "account_reset_password_from_key",
    ),
]

_second_factor = [
    _page("2fa/", mfa.index, "mfa_index"),
    _page("2fa/authenticate/", mfa.authenticate, "mfa_authenticate"),
    _page("2fa/reauthenticate/", mfa.reauthenticate, "mfa_reauthenticate"),
    _page("2fa/totp/activate/", totp.activate_totp, "mfa_activate_totp"),
    _page("2fa/totp/deactivate/", totp.deactivate_totp, "mfa_deactivate_totp"),
    _page("2fa/recovery-codes/", recovery_codes.view_recovery_codes, "mfa_view_recovery_codes"),
    _page("2fa/recovery-codes/generate/", recovery_codes.generate_recovery_codes, "mfa_generate_recovery_codes"),
    _page("2fa/recovery-codes/download/", recovery_codes.download_recovery_codes, "mfa_download_recovery_codes"),
    _page("2fa/passkeys/", webauthn.list_webauthn, "mfa_list_webauthn"),
    _page("2fa/passkeys/add/", webauthn.add_webauthn, "mfa_add_webauthn"),
    _page("2fa/passkeys/login/", webauthn.login_webauthn, "mfa_login_webauthn"),
    _page("2fa/passkeys/reauthenticate/", webauthn.reauthenticate_webauthn, "mfa_reauthenticate_webauthn"),
    _page("2fa/passkeys/<int:pk>/remove/", webauthn.remove_webauthn, "mfa_remove_webauthn"),
    _page("2fa/passkeys/<int:pk>/edit/", webauthn.edit_webauthn, "mfa_edit_webauthn"),
]

_oidc = [
    _page("oidc/<str:provider_id>/login/", oidc.sign_in, "openid_connect_login"),
    _page("oidc/<str:provider_id>/login/callback/", oidc.callback, "openid_connect_callback"),
    _page("oidc/cancelled/", socialaccount.login_cancelled, "socialaccount_login_cancelled"),
    _page("oidc/error/", socialaccount.login_error, "socialaccount_login_error"),
]

urlpatterns = [
    _page("login/", SignIn.as_view(), "account_login"),
    _page("login/", SignIn.as_view(), "login"),
    _page("logout/", SignOut.as_view(), "account_logout"),
    _page("logout/", SignOut.as_view(), "logout"),
    _page("", own_account, "account"),
    _page("closed/", account.account_inactive, "account_inactive"),
    _page("reauthenticate/", account.reauthenticate, "account_reauthenticate"),
    _page("sessions/", Sessions.as_view(), "usersessions_list"),
    *_password,
    *_second_factor,
    *_oidc,
]
"""Signing in and out have the name under which allauth looks for them, and the one that pages here use."""
