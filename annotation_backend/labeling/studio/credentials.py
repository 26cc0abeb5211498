"""Addresses and credentials between Label Studio and us: the two secrets by which it authenticates to us.

Both can be renewed: a secret that was seen elsewhere opens nothing any more. Only the number of renewals is stored;
the secrets are worked out from the installation's own, so that no database holds them.
"""

import base64

from django.conf import settings
from django.utils.crypto import salted_hmac

from annotation_backend.environment import address_for_label_studio
from annotation_backend.labeling.models import Secret, SecretRenewal

SECRET_HEADER = "X-Maskloop-Webhook"  # noqa: S105 (its name)

_SALT = "annotation_backend.labeling.webhook"
"""Must never change: with another salt we would refuse the webhooks of every running Label Studio."""


def service_url() -> str:
    """Our service's address as Label Studio knows it; browsers know it as MASKLOOP_URL."""
    return settings.ML_BACKEND_URL or address_for_label_studio(settings.MASKLOOP_URL)


def ml_backend_url() -> str:
    """Address of our ML backend for Label Studio."""
    return f"{service_url()}/ml"


def webhook_url() -> str:
    """Address to which Label Studio sends its webhooks."""
    return f"{ml_backend_url()}/webhook"


def former_ml_backend_urls() -> tuple[str, ...]:
    """Addresses of ours that an earlier version gave to Label Studio."""
    return (f"{settings.MASKLOOP_URL}/ml",)


def ml_backend_password() -> str:
    """The password that Label Studio sends to ``/ml/*``; the first one stands in .env."""
    renewals = _renewals(Secret.ML_BACKEND)
    if not renewals:
        return str(settings.ML_BACKEND_PASSWORD)
    return _derived(f"ml-backend {settings.ML_BACKEND_PASSWORD} {renewals}")


def basic_auth() -> str:
    """The Authorization header with which Label Studio comes to our ML backend."""
    pair = f"{settings.ML_BACKEND_USER}:{ml_backend_password()}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def webhook_secret() -> str:
    """64 hexadecimal digits, the same until they are renewed; everybody in Label Studio can read them."""
    return _webhook_secret(_renewals(Secret.WEBHOOK))


def webhook_headers() -> dict[str, str]:
    """Headers that Label Studio sends with each webhook."""
    return {SECRET_HEADER: webhook_secret()}


def former_webhook_headers() -> dict[str, str]:
    """The headers before the last renewal, which Label Studio may not have been told yet."""
    return {SECRET_HEADER: _webhook_secret(max(0, _renewals(Secret.WEBHOOK) - 1))}


def door_secret() -> str:
    """64 hexadecimal digits that signs people's tickets, and by which Label Studio's door and we know each other."""
    return _derived("door")


def renew(secret: Secret, *, reason: str) -> None:
    """Renews a secret at once; the caller tells Label Studio next.

    Args:
        secret: The secret to renew.
        reason: A few words of ours, kept beside it.
    """
    SecretRenewal.objects.create(secret=secret, reason=reason)


def _webhook_secret(renewals: int) -> str:
    return _derived("webhook" if not renewals else f"webhook {renewals}")


def _derived(value: str) -> str:
    return salted_hmac(_SALT, value, algorithm="sha256").hexdigest()


def _renewals(secret: Secret) -> int:
    return SecretRenewal.objects.filter(secret=secret).count()
