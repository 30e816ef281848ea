"""A problem whose forward pass is a few lines of NumPy, of any graph: its backward pass is derived from them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from backprop_lab.nn.arrays import as_readonly_array, can_be_kept, cell, first_true
from backprop_lab.nn.checking import check_part
from backprop_lab.nn.layers import Array
from backprop_lab.nn.lines import Part
from backprop_lab.nn.optimizers import GradientDescent, Optimizer
from backprop_lab.nn.steps import Lines, Stage
from backprop_lab.step.checking import check_learning_rate
from backprop_lab.step.problem import NOTHING, Problem
from backprop_lab.step.written import Written, written_for

INSTEAD = {
    "network": "its lines are `.lines`, and what is learnt is `.parameters`",
    "loss": "its loss is a line, whose name is `.loss_name`",
    "X": "what it was given is `.data`, by name",
    "y": "what it was given is `.data`, by name",
}
DRAWS, SEED = 3, 0  # of parameters, on which a backward pass of one's own is compared
SAME, OF_LARGEST = 1e-6, 1e-9  # how far a number of it may be off: of itself, and of the largest beside it


class Program(Problem):
    """A problem made of lines: see `program`, which makes one.

    `parameters` are what is learnt and `data` what is given, both by name; `lines` are those of a whole step, and
    `loss_name` is the name of the loss. `state` has what a step hands on to the next besides parameters: a datum x for
    which there is a line x_new, and what the optimizer remembers.
    """

    stages: Sequence[Stage] = ()
    masks: Mapping[str, Any] = NOTHING
    _parameters: dict[str, Array]
    _data: dict[str, Array]
    _written: Written

    def __init__(
        self,
        lines: str | Iterable[str],
        parameters: Mapping[str, Any],
        data: Mapping[str, Any],
        lr: Any,
        optimizer: Optimizer,
        gradients: Iterable[str],
        backward: str | Iterable[str] | None,
    ) -> None:
        text, own = (
            tuple(each) if isinstance(each, Iterable) and not isinstance(each, str) else each
            for each in (lines, backward)
        )
        if not isinstance(gradients, Iterable):
            raise ValueError(f"gradients names data or values, as in gradients=['X']; got {gradients!r}")
        wanted = (gradients,) if isinstance(gradients, str) else tuple(gradients)
        vars(self).update(_text=text, _wanted=wanted, _backward=own, lr=lr, optimizer=optimizer)
        self._write(_arrays("parameters", parameters), _arrays("data", data))
        check_learning_rate(lr)
        self._settle_state(NOTHING)
        self.lines.run(self.given)

    def __repr__(self) -> str:
        own = len(self._written.derivation.own)
        return f"program of {own} lines, with {', '.join(self.parameters) or 'nothing'} to learn"

    def __getattr__(self, name: str) -> Any:
        if name in INSTEAD:
            raise AttributeError(f"a program has no .{name}: {INSTEAD[name]}")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def evolve(self, **changes: Any) -> Self:
        """The same program with some parts changed: `parameters`, `data` or `state`, some by name, lr or optimizer.

        Where shapes change, the backward pass is derived anew. Another optimizer starts with nothing remembered.
        Raises TypeError for a part that no program has, and ValueError as `program` does.
        """
        if alien := changes.keys() - {"parameters", "data", "state", "lr", "optimizer"}:
            kinds = {"parameters": self._parameters, "data": self._data, "state": self._first}
            where = {name: kind for kind, known in kinds.items() for name in known}
            name = next((each for each in where if each in alien), next(iter(self._parameters), "W"))
            raise TypeError(
                f"a program has parameters, data, state, lr, optimizer; got {', '.join(sorted(alien))}. "
                f"Another {name}: {where.get(name, 'parameters')}={{{name!r}: ...}}"
            )
        new = object.__new__(type(self))
        vars(new).update(vars(self))
        if "lr" in changes:
            check_learning_rate(changes["lr"])
            vars(new)["lr"] = changes["lr"]
        if changes.keys() <= {"lr"}:
            return new
        parameters = self._some("parameters", changes.get("parameters", NOTHING), self._parameters)
        data = self._some("data", changes.get("data", NOTHING), self._data)
        vars(new)["optimizer"] = changes.get("optimizer", self.optimizer)
        kept = all(can_be_kept(value, self._parameters[name]) for name, value in parameters.items())
        if kept and not data and new.optimizer == self.optimizer:
            vars(new)["_parameters"] = self._parameters | parameters
        else:
            all_data = {**self._data, **self._first} | _arrays("data", data)
            new._write(self._parameters | _arrays("parameters", parameters), all_data)
        new._settle_state(changes.get("state", NOTHING), self)
        if data:
            new.lines.run(new.given)
        return new

    def _write(self, parameters: dict[str, Array], data: dict[str, Array]) -> None:
        """Set parameters and data, and the lines of a step with them."""
        check_part(self.optimizer, Optimizer, "the optimizer", "GradientDescent")
        written = written_for(self._text, parameters, data, self._wanted, self._backward, self.optimizer)
        replaced = {step.of for step in written.lines if step.role == "new"}
        for name in data:
            if name in written.derivation.indices:
                if name in replaced:
                    raise ValueError(f"{name} picks places, and cannot be replaced by {name}_new in each step")
            elif data[name].dtype.kind in "iu":  # int64 becomes float64, which does not wrap round
                data[name] = as_readonly_array(name, data[name])
            if not (finite := np.isfinite(np.asarray(data[name], dtype=complex))).all():
                at = first_true(~finite)
                mask = "; -1e9 hides as well as -inf" if data[name][at] == -np.inf else ""
                raise ValueError(f"{cell(name, at)} is {data[name][at]}, and data must be finite{mask}")
        vars(self).update(
            _parameters=parameters,
            _data={name: value for name, value in data.items() if name not in replaced},
            _first={name: value for name, value in data.items() if name in replaced},
            _written=written,
        )
        if self._backward is not None:
            self._prove_backward(written)

    def _prove_backward(self, written: Written) -> None:
        """Raise ValueError, with the cell, unless one's own backward pass gives what the derived one gives."""
        values = {**self._data, **self._first, **self._parameters}
        values = {n: np.asarray(v, dtype=float) if v.dtype.kind in "fO" else v for n, v in values.items()}
        gradients = (step.name for step in written.derived if step.role == "gradient")
        names = [name for name in gradients if name in written.lines.names]
        seen = dict.fromkeys(names, False)
        rng = np.random.default_rng(SEED)
        for draw in range(DRAWS + 1):
            given = dict(values)
            for name in (*self._parameters, *self._first) if draw else ():
                spread = float(np.std(values[name])) or float(np.max(np.abs(values[name]), initial=0.0)) or 1.0
                given[name] = values[name] + spread * rng.standard_normal(values[name].shape)
            derived = written.derived.function(tuple(names), tuple(given))(*given.values())
            own = written.backward.function(tuple(names), tuple(given))(*given.values())
            for name, right, answer in zip(names, derived, own, strict=True):
                seen[name] |= _compared(name, np.asarray(answer), np.asarray(right), written)
        if unseen := [name for name, was_seen in seen.items() if not was_seen]:
            raise ValueError(f"whether {', '.join(unseen)} is right cannot be told: the numbers overflow")

    @property
    def parameters(self) -> dict[str, Array]:
        """What is learnt, by name."""
        return dict(self._parameters)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The optimizer: all else is lines."""
        return (self.optimizer,)

    @property
    def data(self) -> dict[str, Array]:
        """What is given, by name, and stays as it is in each step."""
        return dict(self._data)

    @property
    def lines(self) -> Lines:
        """The lines of one training step, in order."""
        return self._written.lines

    @property
    def loss_name(self) -> str:
        """The name of the loss."""
        return self._written.derivation.loss

    @property
    def upstream(self) -> Mapping[str, str]:
        return self._written.derivation.upstream

    def redrawn(self, rng: "np.random.Generator") -> Self:
        """The same program with its parameters drawn anew, with the mean and spread of those there are.

        One whose numbers are all the same, as of a bias of zeros or a single number, stays as it is.
        """
        drawn = {}
        for name, p in self._parameters.items():
            numbers = np.asarray(p, dtype=float)
            if (spread := float(numbers.std())) > 0:
                kind = p.dtype if p.dtype.kind == "f" else np.dtype(float)
                drawn[name] = rng.normal(numbers.mean(), spread, p.shape).astype(kind)
        return self.evolve(parameters=drawn)

    def with_gradients(self, names: Iterable[str]) -> Self:
        """The same program with gradients of more data or values. Raises ValueError, as `program` does, for others."""
        new = object.__new__(type(self))
        vars(new).update(vars(self), _wanted=tuple(dict.fromkeys((*self._wanted, *names))))
        new._write(self._parameters, {**self._data, **self._first})
        return new


def program(
    lines: str | Iterable[str],
    parameters: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    lr: Any = 1e-3,
    optimizer: Optimizer = GradientDescent(),  # noqa: B008  it has no state to share
    gradients: Iterable[str] = (),
    backward: str | Iterable[str] | None = None,
) -> Program:
    """A problem of your own forward pass: lines of NumPy, "name = expression" each, of which any may use any before.

        program("H = np.tanh(X @ W)\\nL = np.sum((H - y)**2)", {"W": W}, {"X": X, "y": y})

    The last line is the loss, one number, whatever its name; a line `x_new` is none, but says what the datum x is in
    the next step. `parameters` are learnt, `data` given, both by name and in any shape. From these lines those of the
    backward pass are derived, one for each gradient, `d` and the name, and those of the update by the `optimizer`.

    `gradients` names data, or values, whose gradient is wanted too. In a loss np.sum(out * dout) with dout among the
    data, dout is the gradient of out. `backward` has lines of your own that take the place of derived ones, such as
    "dS = (P - y) / len(y)"; other lines between may help them. They are compared with the derived ones on other values
    of the parameters, and on the data as given.

    Nothing runs before every line has been read: operators and functions of NumPy that have a slope. Raises ValueError
    with the line, and what to write instead, for anything else; where shapes do not fit; where something learnt has no
    part in the loss; where data is not finite; and where a line of your own is not what is derived, with the cell.
    """
    return Program(lines, parameters, data, lr, optimizer, gradients, backward)


def _compared(name: str, answer: Array, right: Array, written: Written) -> bool:
    """Whether something could be seen. Raises ValueError, with the cell, if one's own gradient is another."""
    code = written.backward[written.backward.names.index(name)].code
    if answer.shape != right.shape:
        raise ValueError(f"{name} = {code} has shape {answer.shape}, and the gradient has {right.shape}")
    finite = np.isfinite(right)
    if not finite.all():
        return False
    off = np.abs(answer - right)
    wrong = ~(off <= SAME * np.abs(right) + OF_LARGEST * np.max(np.abs(right), initial=0.0))
    if wrong.any():
        at = first_true(wrong)
        values = f"{cell(name, at)} is {answer[at]:.6g}, and should be {right[at]:.6g}"
        raise ValueError(f"{name} = {code} is not the gradient: {values}")
    return True


def _arrays(what: str, given: Any) -> dict[str, Array]:
    """What is given by name, as read-only arrays; whole numbers and truth values of the data stay such."""
    if not isinstance(given, Mapping):
        raise ValueError(f"{what} are given by name, as a dictionary such as {{'W': W}}; got {given!r:.60}")
    arrays = {name: as_readonly_array(str(name), value, what == "data") for name, value in given.items()}
    for name, array in arrays.items():
        if not array.size:
            raise ValueError(f"{name} has the shape {array.shape}, and so no number in it: an axis has at least 1")
    return arrays
