"""A step of many runs side by side, recorded once and replayed: the same operations, in order, on the same memory."""

import weakref
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np

from backprop_lab.layers import Array
from backprop_lab.losses import Loss
from backprop_lab.network import Network, downhill


@dataclass
class RecordingLoss:
    """A loss that records its value whenever its gradient is computed, which saves a second forward pass."""

    loss: Loss
    values: list[Array]
    formulas: ClassVar[dict[str, str]] = {}

    def value(self, y_pred: Array, y: Array) -> Any:
        return self.loss.value(y_pred, y)

    def gradient(self, y_pred: Array, y: Array) -> Array:
        self.values.append(self.value(y_pred, y))
        return self.loss.gradient(y_pred, y)


class RunsContiguous(np.ndarray[Any, Any]):
    """A stack (S, N, D) whose runs lie side by side in memory (order "F"), and whose `@` goes along them.

    NumPy multiplies a stack matrix by matrix, which for tiny ones is mostly overhead. This takes one entry
    [n, d] of all runs times one entry [d, h] of all runs in one go through memory, and so on for all n, d and h.
    Whatever is computed from such an X is RunsContiguous again, and with it every left operand of the layers.
    """

    def __matmul__(self, other: Any) -> Any:
        # As where a layer multiplies by a matrix that all runs share.
        if self.ndim != 3 or np.ndim(other) != 3:  # pragma: no mutate  for stacks this is for speed alone
            return super().__matmul__(other)
        return np.einsum("snd,sdh->snh", self, other).view(RunsContiguous)  # pragma: no mutate  this is for speed alone


class Place(NamedTuple):
    """Where an array is: in which memory, how far in, and how it is laid out."""

    slot: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    kind: Any

    def within(self, memory: Array) -> Array:
        return np.ndarray(self.shape, self.kind, memory, self.offset, self.strides)


class Recorded(np.ndarray[Any, Any]):
    """An array of which each operation is recorded. Nobody can look at its values, or change them in place."""

    def __array_finalize__(self, before: Any) -> None:
        self.replay: Replay = getattr(before, "replay", None)  # type: ignore[assignment]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc is np.matmul and all(x.ndim == 3 for x in inputs):  # pragma: no mutate  along the runs it is faster
            return self.replay.record(np.einsum, ("snd,sdh->snh", *inputs), options)  # pragma: no mutate
        function = ufunc if method == "__call__" else getattr(ufunc, method)  # pragma: no mutate  see `in_place`
        return self.replay.record(function, inputs, options)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise ValueError("what depends on a value, or changes it in place, cannot be recorded")

    __bool__ = __float__ = __int__ = __index__ = __complex__ = __iter__ = __setitem__ = item = tolist = _refuse


class Replay:
    """A stack of runs that is trained on, in the memory of its network's parameters.

    Each result of a step is recorded in a slot of memory of its own. In replay, it takes the place of what nobody needs
    any more. Raises an error of some kind if the step cannot be recorded.
    """

    def __init__(self, network: Network, loss: Loss, X: Array, y: Array, lr: Array) -> None:
        parameters, self._done = network.parameters, dict[Any, Array]()
        self._slots = [(array.ctypes.data, array.nbytes) for array in (X, y, lr, *parameters.values())]
        self._operations: list[tuple[Any, tuple[Any, ...], dict[str, Any], Place]] = []
        memory = [array.ravel("K") for array in (X, y, lr, *parameters.values())]  # pragma: no mutate  as it lies
        for array in (X, y):
            array.setflags(write=False)  # pragma: no mutate  a problem has refused what writes there
        X, y = self._watched(X), self._watched(y)
        L = self._place(loss.value(network.forward(X), y))
        self._until_loss = len(self._operations)
        gradients, into = network.gradients(loss, X, y), {}
        for name, p in parameters.items():
            into[self._place(downhill(self._watched(p), gradients[name], lr)).slot] = p
            p.setflags(write=True)
        self._share_out(memory, L.slot, into)
        self._loss = L.within(memory[L.slot])
        self._done.clear()

    def _watched(self, array: Array) -> Array:
        view = array.view(Recorded)
        view.replay = weakref.proxy(self)  # or they would keep each other
        return view

    def _place(self, x: Any) -> Any:
        """The place of an array; numbers and words stay as they are. Raises ValueError for unknown memory."""
        if not isinstance(x, np.ndarray):
            return x
        at = x.ctypes.data
        within = (start <= at < start + size for start, size in self._slots)  # pragma: no mutate  no array is empty
        (slot,) = (slot for slot, is_there in enumerate(within) if is_there)
        return Place(slot, at - self._slots[slot][0], x.shape, x.strides, x.dtype)

    def record(self, function: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Array:
        """Do it, unless it has been done, and note it. What is done in place, as by `np.mean`, gets its own place."""
        masked = any(isinstance(x, np.ndarray) for x in options.values())  # pragma: no mutate  as below
        if options.pop("out", inputs)[0] is not inputs[0] or masked:  # pragma: no mutate  `_place` would know it, too
            raise ValueError("what is written elsewhere, or for some cells only, cannot be recorded")
        places = tuple(map(self._place, inputs))
        known = function, repr((places, options))
        if known not in self._done:
            result = function(*(np.asarray(x) if isinstance(x, Recorded) else x for x in inputs), **options)
            result.setflags(write=False)  # so that nobody changes it without its being recorded
            self._slots.append((result.ctypes.data, result.nbytes))
            self._operations.append((function, places, options, self._place(result)))
            self._done[known] = self._watched(result)
        return self._done[known]

    def _share_out(self, memory: list[Array], kept: int, into: dict[int, Array]) -> None:
        """Make the program: a result takes memory that is free, unless its slot goes `into` an array."""
        reads = [{x.slot for x in places if isinstance(x, Place)} for _, places, _, _ in self._operations]
        last = {slot: i for i, slots in enumerate(reads) for slot in slots}
        stays = {*range(len(memory)), kept}
        free, self._program = list[Array](), list[partial[Any]]()
        for i, (function, places, options, place) in enumerate(self._operations):
            operands = [x.within(memory[x.slot]) if isinstance(x, Place) else x for x in places]
            gone = [memory[slot] for slot in reads[i] - stays if last[slot] == i]
            in_place = isinstance(function, np.ufunc)  # pragma: no mutate  for others NumPy copies the operand first
            fit = [*free, *gone] if in_place else free  # pragma: no mutate
            size = self._slots[place.slot][1]
            new = np.empty(size, np.uint8)  # pragma: no mutate  more would do
            memory.append(next((each for each in fit if each.nbytes == size), new))
            free = [each for each in (*free, *gone) if each is not memory[-1]]
            out = into.get(place.slot, place.within(memory[-1]))
            self._program.append(partial(function, *operands, out=out, **options))

    def step(self, last: bool = False) -> Array:
        """The losses of the runs; then a step is taken, unless this is the last."""
        for operation in self._program[: self._until_loss if last else None]:
            operation()
        losses: Array = self._loss.copy()
        return losses


def replay_of(network: Network, loss: Loss, X: Array, y: Array, lr: Array) -> Replay | None:
    """What trains the runs by replaying a step; None where it looks at values, or does what cannot be recorded."""
    try:
        return Replay(network, loss, X, y, lr)
    except Exception:
        return None
