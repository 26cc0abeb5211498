"""Published to each kind of place, and back: the same bytes, nothing twice, nothing over anything else."""

from pathlib import Path

from datasets.release.stores.address import read_address
from datasets.release.stores.fetch import fetch_release
from datasets.release.stores.upload import upload_release
from datasets.release.verify import verify_release
from tests.datasets.release.samples import files_of


def test_a_release_comes_back_as_it_was(sound_release: Path, home: str, tmp_path: Path) -> None:
    address = read_address(home)
    done = upload_release(sound_release, address)
    whole = files_of(sound_release)
    assert (done.title, done.files, done.was_there) == (sound_release.name, len(whole), False)
    assert done.bytes == sum(map(len, whole.values()))
    place = address.below(done.title)
    back = fetch_release(place, tmp_path / "here" / "again", digest=done.digest)
    assert (back.digest, back.files_sent, back.was_there) == (done.digest, len(whole), False)
    assert files_of(tmp_path / "here" / "again") == whole
    assert verify_release(tmp_path / "here" / "again").is_sound
    assert fetch_release(place, tmp_path / "here" / "again").was_there


def test_what_is_there_is_not_sent_again(sound_release: Path, home: str) -> None:
    upload_release(sound_release, read_address(home))
    again = upload_release(sound_release, read_address(home))
    assert (again.was_there, again.files_sent) == (True, 0)
