"""Prompts from JSON: what was written comes back, and nothing is guessed."""

import json
from typing import Any

import pytest

from datasets.errors import RejectedInput
from training.prompts.prompt import Box, Click, Prompts
from training.prompts.prompt_document import as_document, from_document

POINT = [1.0, 2.0, 3.0]


def test_prompts_come_back() -> None:
    prompts = Prompts(
        (Click((1.0, 2.0, 3.0)), Click((4.0, 5.0, 6.0), positive=False)),
        (Box((0.0, 0.0, 0.0), (9.0, 9.0, 9.0)),),
        ((1.0, 2.0, 3.0),),
    )
    assert from_document(json.loads(json.dumps(as_document(prompts)))) == prompts
    assert from_document({}) == Prompts()


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "clicks",
        {"points": [POINT]},
        {"clicks": None},
        {"clicks": {"point_mm": POINT}},
        {"clicks": [POINT]},
        {"clicks": [{"point_mm": POINT, "positve": False}]},
        {"clicks": [{"point_mm": POINT, "positive": 0}]},
        {"clicks": [{"point_mm": POINT, "positive": "false"}]},
        {"boxes": [{"corner_mm": POINT}]},
        {"boxes": [{"corner_mm": POINT, "opposite_mm": POINT, "label": "x"}]},
        {"extreme_points": ["123"]},
        {"extreme_points": [{"1": 0, "2": 0, "3": 0}]},
        {"extreme_points": [["1", "2", "3"]]},
        {"extreme_points": [[True, False, True]]},
        {"extreme_points": [[1, 2]]},
        {"extreme_points": [[1, 2, 3, 4]]},
        {"extreme_points": [[10**400, 0, 0]]},
        {"extreme_points": POINT},
    ],
)
def test_what_is_no_prompt_is_refused(document: Any) -> None:
    with pytest.raises(RejectedInput, match="prompt-document"):
        from_document(document)
