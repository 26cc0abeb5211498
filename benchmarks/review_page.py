"""Time from opening a review page to its first drawn picture, in a browser that draws by software.

`python -m benchmarks.review_page` writes cases of 40 x 512 x 512 with two images and a mask into a folder of its own,
serves them, and opens them one after the other in headless Chromium with SwiftShader: no graphics card is used, so that
a reader's machine is faster. The first case is opened by a fresh browser, with nothing in its cache and no shader
compiled; each later one as a reader opens it after a verdict. Printed for each: milliseconds from the start of the
navigation until the drawn image and its mask stand on the screen (``viewer-ready``), until every image is there
(``viewer-complete``), and what the server says that the page and its largest parts took. Exit status 1 if a later case
misses the goal.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

GOAL_MS = 2000
"""Goal: a viewer that is ready within this many milliseconds."""

SOFTWARE = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
WAIT_SECONDS = 120

_MARKS = "Object.fromEntries(performance.getEntriesByType('mark').map(one => [one.name, one.startTime]))"


def main() -> int:
    """Measures; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=4, help="cases, the first by a fresh browser")
    arguments = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection

    with TemporaryDirectory(prefix="maskloop-review-page-") as folder:
        settings.DATA_FOLDER, settings.ALLOWED_HOSTS = Path(folder), ["*"]
        connection.creation.create_test_db(verbosity=0)
        rows = _measured(arguments.cases)
    sys.stdout.write(f"{'case':6} {'ready':>8} {'complete':>9}  server (ms)\n")
    for number, row in enumerate(rows, start=1):
        server = ", ".join(f"{name} {took:.0f}" for name, took in row["server"].items())
        sys.stdout.write(f"{number:<6} {row['ready']:6.0f} ms {row['complete']:6.0f} ms  {server}\n")
    return int(any(row["ready"] > GOAL_MS for row in rows[1:]))


def _measured(count: int) -> list[dict[str, Any]]:
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.db import connections
    from django.test.testcases import LiveServerThread

    from annotation_backend.accounts.models import Role
    from tests.annotation_backend.review.viewing.cases import drawn_as, large_case, publish, tumour
    from tests.annotation_backend.support.addresses import page_at
    from tests.annotation_backend.support.label_studio_page import browser_page
    from tests.annotation_backend.support.records import accounts, signed_in

    person = accounts()[Role.RADIOLOGIST]
    codes = [f"C{number:04d}" for number in range(1, count + 1)]
    for code in codes:
        case = large_case(code)
        publish(case)
        drawn_as(case, tumour((512, 512, 40)))
    connections["default"].inc_thread_sharing()
    server = LiveServerThread("127.0.0.2", StaticFilesHandler, connections_override={"default": connections["default"]})
    server.daemon = True
    server.start()
    server.is_ready.wait()
    url = f"http://127.0.0.2:{server.port}"
    cookie = signed_in(person).cookies["maskloop_session"].value
    try:
        with browser_page(*SOFTWARE) as page:
            page.set_viewport_size({"width": 1920, "height": 1080})
            page.context.add_cookies([{"name": "maskloop_session", "value": cookie, "url": url}])
            return [_opened(page, url + page_at("review-case", code)) for code in codes]
    finally:
        server.terminate()


def _opened(page: Any, address: str) -> dict[str, Any]:
    took: dict[str, float] = {}

    def hear(response: Any) -> None:
        timing = response.headers.get("server-timing", "")
        if "dur=" in timing:
            name = response.url.partition("?")[0].rstrip("/").rpartition("/")[2]
            took[name] = float(timing.partition("dur=")[2])

    page.on("response", hear)
    page.goto(address)
    until = time.monotonic() + WAIT_SECONDS
    while page.locator("[data-review]").get_attribute("data-state") != "complete":
        if time.monotonic() > until:
            raise SystemExit("the viewer was not ready in time")
        page.wait_for_timeout(100)
    page.remove_listener("response", hear)
    marks = page.evaluate(
        "Object.fromEntries(performance.getEntriesByType('mark').map(one => [one.name, one.startTime]))"
    )
    server = {name: took[name] for name in took if name in address or name.endswith((".nii", "figures"))}
    return {"ready": marks["viewer-ready"], "complete": marks["viewer-complete"], "server": server}


if __name__ == "__main__":
    sys.exit(main())
