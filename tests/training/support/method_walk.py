"""Every method of the table with a small model, and a toy method that is one file beside the others."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.training.support.ball_examples import ball_example
from tests.training.support.foreign_models import write_foreign_bundle, write_results
from tests.training.support.small_medsam import write_checkpoint
from tests.training.support.small_training import make_small, small_choice
from training.exchange.bundle.importing import import_bundle
from training.exchange.nnunet.results import import_results
from training.methods.train import package_trained, train_method
from training.pretrained.medsam_vit import convert_medsam_vit
from training.table import rows
from training.table.method import Method, function_called
from training.table.table import methods

EXAMPLES = [ball_example(number, shape=(24, 24, 12)) for number in range(2)]

TOY = '''"""A method of nothing but a threshold, all in one file."""

from training.table.method import Method, Unprompted
from training.table.option import Option

METHOD = Method(
    name="toy",
    title="threshold",
    load="training.table.rows.toy:Threshold",
    user="training.prompts.simulated_user:silent_user",
    unprompted=Unprompted.DRAWS,
    fit="training.table.rows.toy:fit",
    iterations=1,
    options=(Option("share", "of the way from dark to bright", default=0.5, most=1.0),),
)


def fit(choice, examples, *, checkpoints, progress, running):
    import numpy as np

    from training.fitting.choice import Trained

    [kind] = choice.channels
    inside = [example.volumes[kind].data[example.mask.foreground].mean() for example in examples]
    outside = [example.volumes[kind].data[~example.mask.foreground].mean() for example in examples]
    level = np.mean(outside) + choice.option("share") * (np.mean(inside) - np.mean(outside))
    if progress is not None:
        progress(1, 1, 0.0)
    return Trained(choice, {}, [{"level": np.array([level], np.float32)}], [[0.0]])


class Threshold:
    def __init__(self, description, tensors):
        self.title, [self.kind], self.levels = description.title, description.kinds, list(tensors.values())

    def segment(self, request):
        import numpy as np

        from datasets.image.volume import Volume
        from training.segmenters.segmenter import Segmentation

        volume = request.volumes[self.kind]
        probability = np.mean([volume.data > level for level in self.levels], axis=0).astype(np.float32)
        return Segmentation(Volume(probability, volume.grid), self.title)
'''


@contextmanager
def toy_method(folder: Path) -> Iterator[Method]:
    """The toy method, in the table as long as this lasts; nothing but its file is added."""
    (folder / "toy.py").write_text(TOY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "__path__", [*rows.__path__, str(folder)])
        methods.cache_clear()
        try:
            yield methods()["toy"]
        finally:
            sys.modules.pop("training.table.rows.toy", None)
            methods.cache_clear()


def small_package(method: Method, folder: Path) -> None:
    """A package of a method: trained for two iterations, converted, or imported."""
    if method.fit:
        with pytest.MonkeyPatch.context() as patch:
            make_small(patch)
            fitted = train_method(small_choice(method), EXAMPLES, checkpoints=folder.parent / "checkpoints")
        package_trained([fitted], folder, name=f"small-{method}", version="1", inputs={"cohort": "a" * 64})
    elif method.convert:
        function_called(method.convert)(folder)
    elif method.name == "imported-bundle":
        write_foreign_bundle(folder.parent / "foreign")
        import_bundle(folder.parent / "foreign", folder, name="small", version="1", kinds=("t1",), label="Tumour")
    elif method.name == "nnunet":
        results = write_results(folder.parent / "results")
        import_results(results, folder, name="small", version="1", kinds=("t1",), axcodes="RAS")
    else:
        convert_medsam_vit(write_checkpoint(folder.parent / "medsam_vit_b.pth"), folder)
