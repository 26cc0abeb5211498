"""Every command says how it is used, at once and in little memory."""

import io
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests.annotation_backend.support.arguments import actions_of

ROOT = Path(__file__).parents[3]
OURS = sorted(name for name, app in get_commands().items() if str(app).startswith("annotation_backend"))


@pytest.mark.parametrize("name", OURS)
def test_no_option_lists_thousands_of_choices(name):
    parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
    options = actions_of(parser)
    for action in options:
        assert action.choices is None or len(action.choices) <= 600, action.dest
    with redirect_stdout(io.StringIO()) as shown:
        parser.print_help()
    assert len(shown.getvalue()) < max(10_000, 300 * len(options)), "a few lines for each option"


@pytest.mark.slow
def test_a_seed_out_of_range_is_wrong_usage():
    called = subprocess.run(
        [sys.executable, "manage.py", "train_model", "--seed", str(2**32)], cwd=ROOT, capture_output=True, text=True
    )
    assert called.returncode == 2
    assert "expected a seed from 0" in called.stderr
