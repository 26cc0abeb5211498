# mypy: ignore-errors
"""Label Studio's addresses and the door's own, which come first. Read by Label Studio's process only."""

from core.urls import *  # noqa: F403
from core.urls import urlpatterns as label_studio
from django.urls import path

from annotation_backend.labeling.studio_door.entering import enter, make_account, switch_tokens_on

urlpatterns = [
    path("maskloop/enter", enter, name="maskloop-enter"),
    path("maskloop/accounts", make_account, name="maskloop-accounts"),
    path("maskloop/tokens", switch_tokens_on, name="maskloop-tokens"),
    *label_studio,
]
