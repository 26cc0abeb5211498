"""The gate: reading a file has a bounded cost, whatever its header claims."""

import gzip
import io
import os
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.errors import ProgramFault, RejectedInput
from datasets.finding import Finding, Level
from datasets.gate import DEFAULT_BUDGET, Budget, Inflated, opened, refuse_errors, require_affordable
from tests.datasets.support.bad_inputs import zeros_gz

CONTENT = bytes(range(256)) * 100


def _inflated(compressed: bytes, *, is_gzip: bool = True, budget: Budget = DEFAULT_BUDGET) -> Inflated:
    return Inflated(io.BytesIO(compressed), is_gzip=is_gzip, compressed_bytes=len(compressed), budget=budget)


@pytest.mark.parametrize("name", ["file_bytes", "ratio", "nesting", "decoder_seconds"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_budget_of_nothing_is_a_fault(name: str, value: int) -> None:
    with pytest.raises(ProgramFault, match=name):
        Budget(**{name: value})


def test_a_file_is_opened_from_its_start(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    with opened(tmp_path / "a") as stream:
        assert stream.read() == CONTENT


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(RejectedInput, match="file-not-regular"), opened(path):
            pass


def test_a_link_to_a_file_is_read_and_one_to_a_device_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "zero").symlink_to("/dev/zero")
    with opened(tmp_path / "link") as stream:
        assert stream.read() == CONTENT
    with pytest.raises(RejectedInput, match="file-not-regular"), opened(tmp_path / "zero"):
        pass


def test_empty_and_huge_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(RejectedInput, match="file-empty"), opened(tmp_path / "empty"):
        pass
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(DEFAULT_BUDGET.file_bytes + 1)
    with pytest.raises(RejectedInput, match="file-too-large"), opened(tmp_path / "huge"):
        pass


def test_a_file_that_grows_or_shrinks_meanwhile_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for change in (CONTENT + b"more", CONTENT[:-1]):
        path.write_bytes(CONTENT)
        with pytest.raises(RejectedInput, match="file-changed"), opened(path):
            path.write_bytes(change)


def test_the_change_explains_what_else_went_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(CONTENT)

    def read_what_is_cut_off() -> None:
        with opened(path):
            path.write_bytes(b"")
            raise ValueError("cut off")

    with pytest.raises(RejectedInput, match="file-changed"):
        read_what_is_cut_off()


def test_another_file_moved_into_its_place_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(CONTENT)
    with opened(path) as stream:
        (tmp_path / "b").write_bytes(b"new")
        (tmp_path / "b").rename(path)
        assert stream.read() == CONTENT


def test_errors_among_findings_refuse_and_the_rest_is_kept() -> None:
    warning, error = (Finding(level, f"a-{level}", "Expected.", "Do.") for level in (Level.WARNING, Level.ERROR))
    assert refuse_errors([warning]) == (warning,)
    with pytest.raises(RejectedInput, match="a-error"):
        refuse_errors([warning, error])


def test_what_is_declared_is_held_against_the_budget_and_the_file() -> None:
    budget = Budget(volume_bytes=1000, ratio=10, ratio_free_bytes=100)
    require_affordable(1000, compressed_bytes=None, budget=budget)
    require_affordable(1000, compressed_bytes=100, budget=budget)
    require_affordable(100, compressed_bytes=1, budget=budget)
    for declared, compressed, code in ((1001, None, "declared-too-large"), (1000, 99, "inflation-ratio")):
        with pytest.raises(RejectedInput, match=code):
            require_affordable(declared, compressed_bytes=compressed, budget=budget)


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.binary(max_size=3000), min_size=1, max_size=4),
    counts=st.lists(st.integers(1, 2000), min_size=1),
    level=st.integers(0, 9),
    padding=st.integers(0, 600),
)
def test_members_are_read_as_one_in_any_pieces(pieces: list, counts: list, level: int, padding: int) -> None:
    source = _inflated(b"".join(gzip.compress(piece, level) for piece in pieces) + bytes(padding))
    found = b"".join(source.read(count) for count in counts)
    expected = b"".join(pieces)
    assert found == expected[: sum(counts)]
    assert source.position == len(found)
    assert found + source.read(len(expected)) == expected
    assert source.read(1) == b""


def test_bare_deflate_is_read_and_skipped() -> None:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    source = _inflated(packer.compress(CONTENT) + packer.flush() + b"\0", is_gzip=False)
    assert source.skip(1000) == 1000
    assert source.read(10) == CONTENT[1000:1010]
    assert source.skip(10**6) == len(CONTENT) - 1010


@pytest.mark.parametrize("is_gzip", [True, False])
def test_every_cut_is_seen(is_gzip: bool) -> None:
    packer = zlib.compressobj(wbits=31 if is_gzip else -15)
    whole = packer.compress(CONTENT) + packer.flush()
    assert _inflated(whole, is_gzip=is_gzip).skip(10**6) == len(CONTENT)
    for size in range(1, len(whole)):
        with pytest.raises(RejectedInput, match="compressed-truncated"):
            _inflated(whole[:size], is_gzip=is_gzip).skip(10**6)


def test_every_changed_byte_of_a_gzip_stream_is_seen() -> None:
    whole = gzip.compress(CONTENT)
    for position in range(10, len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1  # of the last deflated byte, the other bits mean nothing
        with pytest.raises(RejectedInput, match="compressed-"):
            _inflated(bytes(damaged)).skip(10**6)


def test_other_bytes_behind_a_gzip_stream_are_seen() -> None:
    for behind in (b"garbage", bytes(600) + b"g", b"\x1f", b"\x1f\x8b"):
        with pytest.raises(RejectedInput, match="compressed-"):
            _inflated(gzip.compress(CONTENT) + behind).skip(10**6)


def test_a_bomb_is_stopped_at_the_ratio_in_little_memory() -> None:
    bomb = zeros_gz(1 << 30)
    assert len(bomb) < 2 << 20
    source = _inflated(bomb)
    tracemalloc.start()
    with pytest.raises(RejectedInput, match="inflation-ratio"):
        source.skip(1 << 40)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert source.position <= DEFAULT_BUDGET.ratio * len(bomb) + (1 << 20)
    assert peak < 5e6


def test_inflated_bytes_end_at_the_budget() -> None:
    budget = Budget(volume_bytes=1 << 20, header_bytes=1, padding_bytes=1, ratio_free_bytes=1 << 30)
    source = _inflated(gzip.compress(bytes(2 << 20)), budget=budget)
    with pytest.raises(RejectedInput, match="inflated-too-large"):
        source.skip(1 << 40)
    assert source.position < (1 << 20) + (1 << 19)
