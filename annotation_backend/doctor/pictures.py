"""Links of the pictures, as Label Studio's page in a browser asks for them."""

from django.conf import settings

from annotation_backend.cases.models import Slice
from annotation_backend.doctor.examination import ask
from datasets.errors import RejectedInput, TryAgain

_PNG = b"\x89PNG"


def picture_address(picture: Slice) -> None:
    """A picture opens by its address without signing in, in each window; a made-up address does not."""
    for url in picture.urls_in_windows().values():
        answer = ask("GET", url, who="The pictures' address")
        if not (answer.ok and answer.content.startswith(_PNG)):
            raise TryAgain(
                "picture-closed",
                f"A picture's address does not open (status {answer.status_code}).",
                remedy="See data/logs/web.log. Does a proxy ask for a sign-in under /pictures/? Let it pass.",
            )
    made_up = picture.url.replace(picture.token, "0" * len(picture.token))
    if ask("GET", made_up, who="The pictures' address").status_code != 404:
        raise RejectedInput(
            "picture-open",
            "A made-up picture address does not give 404.",
            remedy="Does a proxy answer for us? Let it pass requests under /pictures/ on as they are.",
        )


def picture_in_browser(picture: Slice) -> None:
    """A browser on Label Studio's page may read the picture: the request itself, and the question beforehand."""
    origin = settings.LABEL_STUDIO_URL
    asked = {"Origin": origin, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"}
    answer = ask("GET", picture.url, who="The pictures' address", headers=asked)
    _require_allowed(answer.headers.get("Access-Control-Allow-Origin"), "picture-cors")
    beforehand = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    answer = ask("OPTIONS", picture.url, who="The pictures' address", headers=beforehand)
    if not answer.ok:
        raise RejectedInput(
            "picture-preflight",
            f"A browser's question beforehand (OPTIONS) is refused (status {answer.status_code}).",
            remedy="Let the proxy pass OPTIONS under /pictures/ on to us.",
        )
    _require_allowed(answer.headers.get("Access-Control-Allow-Origin"), "picture-preflight-cors")


def _require_allowed(allowed: str | None, code: str) -> None:
    if allowed not in (settings.LABEL_STUDIO_URL, "*"):
        raise RejectedInput(
            code,
            "A browser would refuse the picture: no CORS header for Label Studio's address.",
            remedy="Is LABEL_STUDIO_URL in .env the address that people type? Does a proxy drop headers?",
        )
