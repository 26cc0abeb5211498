"""Runtime of a trained network: OpenVINO on a processor, torch elsewhere. Imports torch: for segmenters only.

On the two cores measured, OpenVINO answered a 3D DynUNet seven times and a 2D U-Net four times as fast as torch, with
probabilities that differ by less than 1e-4 (logits by less than 1e-4 of the largest). It is checked against torch on
the first two input shapes; if it is not installed, cannot read the network or answers otherwise, torch runs instead
and the log says why.
"""

import logging
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from threading import Lock
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from datasets.errors import ProgramFault

Array = NDArray[np.float32]
Shapes = tuple[tuple[int, ...], ...]
_Answering = Callable[..., Array]

CHECK_TOLERANCE = 1e-3
"""Largest difference from torch, as a part of the largest answer, that still counts as the same network: ten times what
another order of summation makes, far below what a wrongly read network makes."""

_CONVERTING = Lock()
_LOG = logging.getLogger(__name__)


class Precision(StrEnum):
    """Numerical precision of a runtime."""

    STANDARD = "standard"
    """Models are evaluated in it: float32 on a processor, float16 where that is safe (autocast) on a GPU."""

    FAST = "fast"
    """bfloat16 on a processor that has it (1.7 times faster; logits move by some hundredths); on a GPU, as standard."""


class Runtime(Protocol):
    """A network that is ready to answer; thread-safe.

    The first call, and the first with inputs of another shape, take seconds: call it once with zeros to warm it up.
    """

    def __call__(self, *inputs: Array) -> Array:
        """The network's answer.

        Args:
            inputs: float32 arrays (N, C, ...), as the network's forward takes them.

        Returns:
            float32 array (N, C, ...), the caller's own.
        """
        ...

    def each(self, inputs: Iterable[Array]) -> Iterator[Array]:
        """The network's answers to many inputs of one shape, in their order; several at once where that is faster.

        Args:
            inputs: float32 arrays (N, C, ...), for a network of one input.
        """
        ...


def runtime_of(network: torch.nn.Module, *, device: torch.device, precision: Precision = Precision.STANDARD) -> Runtime:
    """The fastest runtime of a network on this machine. The members of an ensemble have one each.

    Args:
        network: On `device`, in evaluation mode; answers one tensor; its weights must not change from now on.
        device: Its device.
        precision: Numerical precision.

    Raises:
        ProgramFault: The network is in training mode.
    """
    if network.training:
        raise ProgramFault(
            "network-training",
            "The network is in training mode; a runtime needs it in evaluation mode.",
            remedy="Call eval().",
        )
    if device.type == "cpu" and openvino_library() is not None:
        return OpenVinoRuntime(network, precision=precision)
    return TorchRuntime(network, device=device)


class TorchRuntime:
    """Plain torch without gradients; on a GPU in half precision and with channels last."""

    def __init__(self, network: torch.nn.Module, *, device: torch.device) -> None:
        self._device = device
        self._network = network

    def __call__(self, *inputs: Array) -> Array:
        """See `Runtime`."""
        tensors = [self._placed(torch.from_numpy(np.ascontiguousarray(one, np.float32))) for one in inputs]
        is_gpu = self._device.type == "cuda"
        with torch.inference_mode(), torch.autocast(self._device.type, torch.float16, enabled=is_gpu):
            answer: Array = self._network(*tensors).float().cpu().contiguous().numpy()
        return answer

    def each(self, inputs: Iterable[Array]) -> Iterator[Array]:
        """See `Runtime`."""
        return map(self, inputs)

    def _placed(self, tensor: torch.Tensor) -> torch.Tensor:
        if self._device.type == "cpu":
            return tensor
        layouts = {4: torch.channels_last, 5: torch.channels_last_3d}
        return tensor.to(self._device, memory_format=layouts.get(tensor.ndim, torch.contiguous_format))


class OpenVinoRuntime:
    """The network converted once, and compiled twice: for the first input shape, and for all others; in memory only.

    A compilation for one shape runs 4 to 10 % faster than one for all, but takes as long as ten answers and more: it
    pays if the canvas is always the same. A new shape costs the other compilation next to nothing.

    Args:
        network: On the processor, in evaluation mode.
        precision: Numerical precision.
    """

    def __init__(self, network: torch.nn.Module, *, precision: Precision = Precision.STANDARD) -> None:
        self._network = network
        self._torch = TorchRuntime(network, device=torch.device("cpu"))
        self._precision = precision
        self._converted: Any = None
        self._checked_on: list[Shapes] = []
        self._ready: list[_Answering] = []
        self._streams: dict[Shapes, _Streams | None] = {}
        self._preparing = Lock()

    def __call__(self, *inputs: Array) -> Array:
        """See `Runtime`."""
        arrays = [np.ascontiguousarray(one, np.float32) for one in inputs]
        return self._runtime(tuple(one.shape for one in arrays))(*arrays)

    def each(self, inputs: Iterable[Array]) -> Iterator[Array]:
        """See `Runtime`: a stream for each thread, so that none waits for the others within a layer of the network."""
        arrays = (np.ascontiguousarray(one, np.float32) for one in inputs)
        first = next(arrays, None)
        if first is None:
            return
        streams = self._streams_for((first.shape,)) if torch.get_num_threads() > 1 else None
        yield from (map(self, chain([first], arrays)) if streams is None else streams.each(chain([first], arrays)))

    @property
    def checked_on(self) -> tuple[Shapes, ...]:
        """The input shapes, two at most, for which the network was compiled and compared to torch."""
        return tuple(self._checked_on)

    @property
    def shapes_on_torch(self) -> tuple[Shapes, ...]:
        """The input shapes, of the two checked, that OpenVINO could not serve."""
        return tuple(
            shapes for shapes, ready in zip(self._checked_on, self._ready, strict=True) if ready is self._torch
        )

    def _runtime(self, shapes: Shapes) -> _Answering:
        """The compilation for the first shape, or that for the others."""
        with self._preparing:
            if not self._ready or (len(self._ready) == 1 and shapes != self._checked_on[0]):
                self._ready.append(self._checked(shapes))
                self._checked_on.append(shapes)
            return self._ready[0 if shapes == self._checked_on[0] else 1]

    def _streams_for(self, shapes: Shapes) -> "_Streams | None":
        """The compilation in streams for a shape, kept until another is asked for; None if it answers otherwise."""
        with self._preparing:
            if shapes not in self._streams:
                self._streams = {shapes: self._checked_streams(shapes)}
            return self._streams[shapes]

    def _checked_streams(self, shapes: Shapes) -> "_Streams | None":
        [noise] = _noise(shapes, seed=1)
        expected = self._torch(noise)
        try:
            streams = _Streams(self._compilation(shapes, _streaming(self._precision)))
            [answer] = streams.each([noise])
        except Exception as error:  # as in `_checked`
            _LOG.warning("OpenVINO cannot run this network in streams (%s).", type(error).__name__)
            return None
        return streams if self._precision is Precision.FAST or _same(answer, expected) else None

    def _checked(self, shapes: Shapes) -> _Answering:
        """OpenVINO if its answer to noise equals torch's, else torch."""
        noise = _noise(shapes, seed=1)
        expected = self._torch(*noise)
        try:
            compiled = self._compiled(shapes)
            answer = compiled(*noise)
        except Exception as error:  # a converter fails in many ways, and torch can still answer
            _LOG.warning("OpenVINO cannot run this network (%s); torch runs it instead.", type(error).__name__)
            return self._torch
        if self._precision is Precision.STANDARD and not _same(answer, expected):
            _LOG.warning("OpenVINO answers otherwise than torch for inputs of %s; torch runs instead.", shapes)
            return self._torch
        return compiled

    def _compiled(self, shapes: Shapes) -> "_Compiled":
        return _Compiled(self._compilation(shapes, _settings(self._precision), is_fixed=not self._ready))

    def _compilation(self, shapes: Shapes, settings: dict[str, Any], *, is_fixed: bool = True) -> Any:
        if self._converted is None:
            self._converted = _converted(self._network, shapes)
        model = self._converted.clone()
        if is_fixed:
            model.reshape({place: list(shape) for place, shape in enumerate(shapes)})
        return _core().compile_model(model, "CPU", settings)


class _Compiled:
    """One compilation; one request at a time, since one uses the whole machine."""

    def __init__(self, compiled: Any) -> None:
        self._request = compiled.create_infer_request()
        self._answering = Lock()

    def __call__(self, *inputs: Array) -> Array:
        with self._answering:
            answer = self._request.infer(list(inputs), share_inputs=True)[0]
        return np.asarray(answer, np.float32)


class _Streams:
    """One compilation that answers as many requests at once as there are threads, each on one thread."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled

    def each(self, inputs: Iterable[Array]) -> Iterator[Array]:
        """See `Runtime`; requests of several callers wait for a free stream."""
        free = [self._compiled.create_infer_request() for _ in range(torch.get_num_threads())]
        asked: deque[tuple[Any, Array]] = deque()  # with the inputs, which OpenVINO reads while it works
        try:
            for array in inputs:
                if not free:
                    yield _answer(asked, free)
                request = free.pop()
                asked.append((request, array))
                request.start_async([array], share_inputs=True)
            while asked:
                yield _answer(asked, free)
        finally:
            for request, _ in asked:
                request.wait()


def _answer(asked: deque[tuple[Any, Array]], free: list[Any]) -> Array:
    """The answer to the oldest request, which is free then."""
    request, _ = asked[0]
    request.wait()
    asked.popleft()
    free.append(request)
    return np.array(request.get_output_tensor(0).data, np.float32)


def _converted(network: torch.nn.Module, shapes: Shapes) -> Any:
    """OpenVINO's model of the network, traced with noise of these shapes."""
    examples = tuple(torch.from_numpy(one) for one in _noise(shapes, seed=0))
    root = logging.getLogger()
    with _CONVERTING, torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is traced, and that tracing is old
        level, handlers, filters = root.level, list(root.handlers), list(root.filters)
        try:
            # OpenVINO's own tracing runs the network several times more, to check what `_checked` checks.
            traced = torch.jit.trace(network, examples, check_trace=False, strict=False)
            return openvino_library().convert_model(traced, example_input=examples)
        finally:  # the converter turns the whole program's log down to errors
            root.handlers, root.filters = handlers, filters
            root.setLevel(level)


def _noise(shapes: Shapes, *, seed: int) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape, dtype=np.float32) for shape in shapes]


def _same(answer: Array, expected: Array) -> bool:
    if answer.shape != expected.shape:
        return False
    return bool(np.abs(answer - expected).max() <= CHECK_TOLERANCE * max(1.0, float(np.abs(expected).max())))


def _settings(precision: Precision) -> dict[str, Any]:
    """As many threads as torch, not bound to cores, which other processes share."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if precision is Precision.FAST else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "ENABLE_CPU_PINNING": False,
    }


def _streaming(precision: Precision) -> dict[str, Any]:
    """The same, with a stream for each thread."""
    streams = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": torch.get_num_threads()}
    return _settings(precision) | streams


@lru_cache(maxsize=1)
def _core() -> Any:
    return openvino_library().Core()


@lru_cache(maxsize=1)
def openvino_library() -> Any:
    """The library, or None where it is not installed.

    Importing it would report its use to its maker and write an identifier into the home folder; without its reporting
    module it does neither.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        _LOG.info("OpenVINO is not installed; torch runs the networks.")
        return None
    return openvino
