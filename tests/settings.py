"""Settings of the test run: secrets drawn afresh, all data in a folder that goes away with the run."""

import atexit
import os
import shutil
import tempfile

from annotation_backend.environment import LISTENER_FOR_LABEL_STUDIO, fresh_environment

_folder = tempfile.mkdtemp(prefix="maskloop-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.update(fresh_environment())
os.environ["MASKLOOP_DATA"] = _folder
os.environ["MASKLOOP_WORKERS"] = "1"
os.environ.pop("DASK_SCHEDULER", None)
os.environ["DJANGO_LIVE_TEST_SERVER_ADDRESS"] = LISTENER_FOR_LABEL_STUDIO  # where a real Label Studio may send to

from annotation_backend.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "testserver"]
