"""A crash at whatever step of publishing or fetching leaves no release or the whole one, and the next run goes on."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.errors import RejectedInput, TryAgain
from datasets.release.paths import MANIFEST_NAME
from datasets.release.stores.address import Address, read_address
from datasets.release.stores.fetch import fetch_release
from datasets.release.stores.opening import opened_to_write
from datasets.release.stores.s3_files import S3Files
from datasets.release.stores.upload import upload_release
from tests.datasets.release.samples import files_of
from tests.datasets.support.crashes import Crash, crash_at, file_operations


def _with_the_systems_error(action: Callable[[], object]) -> Callable[[], object]:
    """The action, which a full disk ends as the system says it."""

    def done() -> object:
        try:
            return action()
        except TryAgain as error:
            raise (error.__cause__ if error.code == "store-full" else error) or error from None

    return done


@pytest.mark.slow
@pytest.mark.parametrize("how", Crash)
@pytest.mark.parametrize("way", ["publish", "fetch"])
def test_a_crash_at_any_file_operation_leaves_the_whole_release_or_nothing(
    small: Path, tmp_path: Path, how: Crash, way: str
) -> None:
    home = tmp_path / "home"
    place = home / small.name
    publish, fetch = (
        lambda: upload_release(small, Address("file", str(home))),
        lambda: fetch_release(Address("file", str(small)), place),
    )
    action = _with_the_systems_error(publish if way == "publish" else fetch)
    count = file_operations(tmp_path, action)
    assert count > 60
    whole = files_of(place)
    assert whole == files_of(small)
    for number in range(1, count + 1):
        shutil.rmtree(home)
        is_done = crash_at(tmp_path, action, number, how)
        assert files_of(place) in ((whole,) if is_done else ({}, whole)), number
        again = action()
        assert files_of(place) == whole, number
        assert sorted(path.name for path in home.iterdir()) == [small.name], number
        assert again.files_sent < len(whole) or number < 8, number


@pytest.mark.slow
def test_a_kill_at_any_write_to_a_bucket_leaves_no_release_and_the_next_run_goes_on(
    small: Path, s3: str, tmp_path: Path
) -> None:
    count = len(files_of(small)) + 1  # the first file is written twice, to try out the store
    for number in {*range(1, count + 1, 4), count}:
        home = read_address(f"{s3}/{number}")
        assert _killed_at(number, small, home) == 9
        assert MANIFEST_NAME not in opened_to_write(home.below(small.name)).sizes()
        with pytest.raises(RejectedInput, match="release-missing"):
            fetch_release(home.below(small.name), tmp_path / str(number))
        done = upload_release(small, home)
        assert done.files_sent <= count - max(number - S3Files.most_at_once, 0)
    fetch_release(home.below(small.name), tmp_path / "last")
    assert files_of(tmp_path / "last") == files_of(small)


def _killed_at(number: int, release: Path, home: Address) -> int:
    """Publishes in a process that is killed before its `number`-th write, from 1; its exit code."""
    child = os.fork()
    if child == 0:
        create, done = S3Files.create, []

        def create_or_die(*arguments: object, **more: object) -> bool:
            done.append(1)
            if len(done) == number:
                os._exit(9)
            return create(*arguments, **more)

        S3Files.create = create_or_die
        try:
            upload_release(release, home)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
