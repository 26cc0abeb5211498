"""The environment in which nnU-Net is installed, and its programs as child processes.

nnU-Net asks for packages that ours must not have (timm, torchvision): it lives in an environment of its own.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import RejectedInput

VARIABLE = "MASKLOOP_NNUNET"
"""Environment variable with the folder of nnU-Net's environment."""

MADE_BY = "python -m venv FOLDER && FOLDER/bin/pip install torch==2.13.0 nnunetv2==2.8.1"
"""Makes it; the versions that were tried."""

_LAUNCHER = Path(__file__).with_name("launcher.py")
_ITERATIONS = "MASKLOOP_NNUNET_ITERATIONS"
"""As the launcher calls it."""

_LOG_NAME = "nnunet-{}.log"


@dataclass(frozen=True)
class NnunetEnvironment:
    """nnU-Net's environment and the folder in which it works.

    Args:
        python: Its Python.
        work: Folder with ``raw``, ``preprocessed`` and ``results``.
    """

    python: Path
    work: Path

    @classmethod
    def found(cls, work: Path, folder: Path | None = None) -> "NnunetEnvironment":
        """The environment in a folder, or in the one that `VARIABLE` names.

        Raises:
            RejectedInput: There is none (``nnunet-environment``); the remedy is the line that makes it.
        """
        named = folder or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
        python = None if named is None else named / "bin" / "python"
        if python is None or not python.exists() or not any(named.glob("lib/python*/site-packages/nnunetv2")):  # type: ignore[union-attr]
            raise RejectedInput(
                "nnunet-environment",
                "nnU-Net needs an environment of its own, and none was found.",
                remedy=f"Make it with `{MADE_BY}`, and name its folder with --environment or {VARIABLE}.",
            )
        return cls(python.absolute(), work.absolute())

    @property
    def raw(self) -> Path:
        """Datasets as they were exported."""
        return self.work / "raw"

    @property
    def preprocessed(self) -> Path:
        """Datasets as nnU-Net prepared them, with plans and folds."""
        return self.work / "preprocessed"

    @property
    def results(self) -> Path:
        """Folders of trained networks."""
        return self.work / "results"

    def run(self, program: str, arguments: Sequence[str | Path], *, iterations: int | None = None) -> None:
        """Runs one of nnU-Net's programs; what it says goes to a log in the work folder.

        Args:
            program: As `training.exchange.nnunet.launcher` calls it.
            arguments: Its own.
            iterations: Of an epoch; None for nnU-Net's own.

        Raises:
            RejectedInput: It failed (``nnunet-failed``); the log says why.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        log = self.work / _LOG_NAME.format(program)
        with log.open("wb") as said:
            done = subprocess.run(  # noqa: S603 (nnU-Net's own programs, no shell)
                [self.python, _LAUNCHER, program, *map(str, arguments)],
                env=self._variables | ({} if iterations is None else {_ITERATIONS: str(iterations)}),
                stdout=said,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        if done.returncode:
            raise RejectedInput(
                "nnunet-failed",
                f"nnU-Net's {program} ended with status {done.returncode}.",
                remedy=f"Read {log.name} in the work folder; its last lines say why.",
            )

    @property
    def _variables(self) -> dict[str, str]:
        places = {"nnUNet_raw": self.raw, "nnUNet_preprocessed": self.preprocessed, "nnUNet_results": self.results}
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        # nnU-Net starts eight processes where nothing is said, each with a torch of its own.
        few = {"nnUNet_def_n_proc": str(min(os.cpu_count() or 1, 8))}
        return few | kept | {name: str(place) for name, place in places.items()}
