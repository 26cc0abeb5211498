"""Embeddings on disk: whole or absent, bounded, the longest unused removed, and no key leads elsewhere."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from annotation_backend.inference.serving.embedding_folder import SUFFIX, EmbeddingFolder, sweep
from training.segmenters.boxes.embedding_cache import SliceKey

MODEL, IMAGES = "a" * 64, "b" * 64
KEY = SliceKey(IMAGES, "t2", 2, 17)


def embedding(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((1, 8, 16, 16)).astype(np.float16)


def test_comes_back_bit_for_bit_also_in_another_process(tmp_path: Path) -> None:
    EmbeddingFolder(tmp_path, MODEL).put(KEY, embedding())
    other = EmbeddingFolder(tmp_path, MODEL)
    assert KEY in other
    np.testing.assert_array_equal(other.get(KEY), embedding())
    assert EmbeddingFolder(tmp_path, "c" * 64).get(KEY) is None
    assert (tmp_path / MODEL / IMAGES / f"t2-2-17{SUFFIX}").exists()


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "pickle", "other"])
def test_a_damaged_file_is_removed_and_made_anew(tmp_path: Path, damage: str) -> None:
    folder = EmbeddingFolder(tmp_path, MODEL)
    folder.put(KEY, embedding())
    [path] = tmp_path.rglob(f"*{SUFFIX}")
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[-1] ^= 1
    changed = {"empty": b"", "truncated": content[:-1], "flipped": content, "pickle": b"\x80\x04K\x01.", "other": b"x"}
    path.write_bytes(bytes(changed[damage]))
    assert folder.get(KEY) is None
    assert KEY not in folder
    folder.put(KEY, embedding(1))
    np.testing.assert_array_equal(folder.get(KEY), embedding(1))


@pytest.mark.parametrize("key", [SliceKey("../../etc", "t2", 2, 0), SliceKey(IMAGES, "../t2", 2, 0)])
def test_a_key_that_leads_elsewhere_is_not_kept(tmp_path: Path, key: SliceKey) -> None:
    folder = EmbeddingFolder(tmp_path / "inside", MODEL)
    folder.put(key, embedding())
    assert folder.get(key) is None
    assert list(tmp_path.rglob("*")) == []


def test_the_longest_unused_go_first(tmp_path: Path) -> None:
    size = embedding().nbytes
    folder = EmbeddingFolder(tmp_path, MODEL, limit=20 * size)
    for index in range(10):
        folder.put(SliceKey(IMAGES, "t2", 2, index), embedding(index))
    for index in range(10):
        path = tmp_path / MODEL / IMAGES / f"t2-2-{index}{SUFFIX}"
        os.utime(path, (time.time() - 10_000 + index,) * 2)
    assert folder.get(SliceKey(IMAGES, "t2", 2, 0)) is not None  # used again, so kept
    removed = sweep(tmp_path, limit=5 * size)
    left = {path.name for path in tmp_path.rglob(f"*{SUFFIX}")}
    assert removed == 10 - len(left)
    assert f"t2-2-0{SUFFIX}" in left
    assert f"t2-2-1{SUFFIX}" not in left
    assert f"t2-2-9{SUFFIX}" in left


def test_stays_under_its_limit_whatever_is_put(tmp_path: Path) -> None:
    limit = 12 * embedding().nbytes
    folder, most = EmbeddingFolder(tmp_path, MODEL, limit=limit), 0
    for index in range(60):
        folder.put(SliceKey(IMAGES, "t2", 2, index), embedding(index))
        most = max(most, sum(path.stat().st_size for path in tmp_path.rglob(f"*{SUFFIX}")))
    assert most <= limit


def test_what_a_dead_process_left_is_removed_later(tmp_path: Path) -> None:
    old, new = tmp_path / MODEL / f".part-old{SUFFIX}", tmp_path / MODEL / f".part-new{SUFFIX}"
    old.parent.mkdir()
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    sweep(tmp_path, limit=1 << 30)
    assert not old.exists()
    assert new.exists()


def test_no_limit_no_files(tmp_path: Path) -> None:
    folder = EmbeddingFolder(tmp_path, MODEL, limit=0)
    folder.put(KEY, embedding())
    assert KEY not in folder


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    folder = EmbeddingFolder(tmp_path / "file", MODEL)
    folder.put(KEY, embedding())
    assert folder.get(KEY) is None
