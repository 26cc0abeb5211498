"""Grey values inside and outside a mask."""

import numpy as np
import pytest

from datasets.study.grey_values import LEVELS, GreyValues, grey_values


def _by_sorting(values: np.ndarray) -> list[float]:
    return [float(np.quantile(values, level, method="inverted_cdf")) for level in LEVELS]


def _phantom(kind: type) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    data = (random.normal(scale=300, size=(31, 17, 9)) - 200).astype(kind)
    inside = np.zeros(data.shape, bool)
    inside[4:20, 3:9, 2:7] = True
    return data, inside


def test_whole_numbers_have_their_exact_quantiles() -> None:
    data, inside = _phantom(np.int16)
    data[0, 0, 0], data[1, 0, 0] = np.iinfo(np.int16).min, np.iinfo(np.int16).max
    found = grey_values(data, inside)
    assert list(found.image) == _by_sorting(data)
    assert list(found.inside) == _by_sorting(data[inside])
    assert list(found.outside) == _by_sorting(data[~inside])


def test_other_numbers_are_off_by_a_bin_at_most() -> None:
    data, inside = _phantom(np.float32)
    found = grey_values(data, inside)
    bin_width = float(np.ptp(data)) / 65535
    for values, of in ((found.image, data), (found.inside, data[inside]), (found.outside, data[~inside])):
        assert np.abs(np.array(values) - _by_sorting(of)).max() <= bin_width + 1e-4


def test_order_in_memory_does_not_matter() -> None:
    data, inside = _phantom(np.float32)
    assert grey_values(np.asfortranarray(data), inside) == grey_values(data, np.asfortranarray(inside))


@pytest.mark.parametrize("value", [0, 7])
def test_an_image_of_one_value_and_an_empty_mask(value: int) -> None:
    for kind in (np.int16, np.float32):
        found = grey_values(np.full((3, 3, 3), value, kind), np.zeros((3, 3, 3), bool))
        assert found == GreyValues((value,) * 7, (), (value,) * 7)


def test_they_are_read_again_from_plain_values() -> None:
    found = grey_values(*_phantom(np.int16))
    assert GreyValues.from_dict(found.as_dict()) == found
    for broken in ({}, {"image": [], "inside": [], "outside": []}, found.as_dict() | {"inside": [1.0]}):
        with pytest.raises((KeyError, ValueError)):
            GreyValues.from_dict(broken)
