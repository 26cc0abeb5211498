"""The webhook's own secret: everybody in Label Studio can read it, so it opens the webhook and nothing else."""

from django.utils.crypto import salted_hmac

SECRET_HEADER = "X-Maskloop-Webhook"  # noqa: S105 (its name)


def webhook_secret() -> str:
    """64 hexadecimal digits, the same for as long as MASKLOOP_SECRET_KEY is."""
    return salted_hmac("annotation_backend.labeling.webhook", "webhook", algorithm="sha256").hexdigest()


def webhook_headers() -> dict[str, str]:
    """What Label Studio sends along with each webhook."""
    return {SECRET_HEADER: webhook_secret()}
