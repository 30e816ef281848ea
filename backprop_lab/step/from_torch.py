"""A module of PyTorch as a program: its forward pass as lines of NumPy. It is used only once a module is handed in.

`torch.fx` says what the module does, one operation after another; each has its line. All of it is run in PyTorch too,
on a copy of the module: so shapes are known, and the loss of the lines can be compared with the module's.
"""

import copy
import math
from collections.abc import Iterable, Mapping
from importlib import import_module
from inspect import signature
from itertools import chain, count
from typing import Any

from backprop_lab.nn.lines import names_in
from backprop_lab.step import torch_lines
from backprop_lab.step.program import Program, program
from backprop_lab.step.torch_lines import BY_CELL, LETTERS, MODULES, WRITTEN, Value, flat, index_of, real_of, text_of

SAME = ("contiguous", "clone", "identity")  # what comes out is what goes in
CONSTANT = ("zeros_like", "ones_like", "rand_like", "randn_like", "new_zeros", "new_ones")  # of what does not matter
RESHAPED = ("reshape", "view", "flatten", "squeeze", "unsqueeze")
TURNED = ("transpose", "t", "permute")
REDUCED = {"sum": "sum", "mean": "mean", "amax": "max", "amin": "min", "var": "var"}
# Of what is passed by name, what changes nothing beside None, 0 and False.
USUAL = {"ignore_index": (-100,), "threshold": (20,), "norm_type": (2,)}
NEAR = {"float32": 1e-4, "float64": 1e-9}  # how far the loss of the lines may be from the module's
INSTEAD = "write it with operations that have a line, such as @, +, relu, softmax or mean"


def from_torch(module: Any, X: Any, y: Any, loss: Any) -> Program:
    """A module of PyTorch, with its loss, as a program: `from_torch(module, X, y, torch.nn.MSELoss())`.

    `module` is a `torch.nn.Sequential` or any other that `torch.fx` can trace, taken in train mode; it stays as it is.
    `X` is its input, or a tuple of several, which the lines then call as `forward` does. `loss` is a loss of `torch.nn`
    or a function of the output and `y`. The parameters come in the order of `module.named_parameters()` and in the
    shapes that they have there, so that `trace(p)["dW1"]` is the `.grad` of the first weight: W and b are those of a
    Linear, gamma and beta those of a norm, and those that `forward` uses by themselves keep their own names. What
    requires no gradient, buffers, and the masks of a Dropout, as PyTorch draws them with the seed of the moment, are
    data. A BatchNorm takes the mean and the variance of the batch.

    Raises ValueError for what has no line, naming the module or the function; where `torch.fx` cannot trace the module;
    and where the loss or a gradient of the lines is not that of the module.
    """
    if not any(kind.__module__ == "torch.nn.modules.module" for kind in type(module).__mro__):
        raise ValueError(f"from_torch takes a module, such as torch.nn.Sequential(...); got {module!r:.80}")
    return _Writer(module).program(X if isinstance(X, tuple) else (X,), y, copy.deepcopy(loss))


class _Writer:
    """Goes through the operations of a module, and writes a line for each."""

    def __init__(self, module: Any) -> None:
        self.torch, self.fx = import_module("torch"), import_module("torch.fx")
        self.module = copy.deepcopy(module).train()
        self.lines: list[tuple[str, str]] = []
        self.taken: set[str] = {"X", "y", "y_pred", "L", "lr", "step"}
        self.data: dict[str, Any] = {}
        self.learnt: dict[str, Any] = {}
        kinds = {str(p.dtype).partition(".")[2] for p in self.module.parameters()} or {"float64"}
        if len(kinds) > 1 or not kinds <= NEAR.keys():
            raise ValueError(f"from_torch takes a module of float32 or of float64; this one has {', '.join(kinds)}")
        (self.kind,) = kinds
        number, under = 0, set[str]()
        for path, parameter in self.module.named_parameters():
            owner, _, own = path.rpartition(".")
            kind = type(self.module.get_submodule(owner)).__name__
            letter = LETTERS.get(own, "") if kind in MODULES else ""
            letter = {"W": "gamma", "b": "beta"}.get(letter, letter) if "Norm" in kind else letter
            if letter and (not number or letter in under):
                number, under = number + 1, set()
            under.add(letter)
            name = self._free(f"{letter}{number}" if letter else path.replace(".", "_"))
            (self.learnt if parameter.requires_grad else self.data)[name] = parameter

    def program(self, inputs: tuple[Any, ...], y: Any, loss: Any) -> Program:
        """The program of the module and of a loss."""
        names = [*signature(self.module.forward).parameters][: len(inputs)]
        torch_lines.check_given(names, inputs, y, loss)
        entering = [
            self._given("X" if len(inputs) == 1 else self._free(n), x) for n, x in zip(names, inputs, strict=True)
        ]
        target = self._given("y", y)
        with self.torch.random.fork_rng(devices=[]), self.torch.no_grad():
            out = self._all_of(self.module, "the module", entering)
            if not isinstance(out, Value):
                raise ValueError(f"the module must give one tensor; got a {type(out).__name__}")
            both = self._renamed(out, "y_pred"), target
            with torch_lines.targets_fit(out.tensor.shape, target.tensor.shape):
                found = self._all_of(loss, "the loss", both)
        if not isinstance(found, Value) or found.tensor.ndim:
            raise ValueError("the loss must give one number: leave its reduction at 'mean', or 'sum'")
        self._renamed(found, "L")
        used = {name for _, code in self.lines for name in names_in(code)}
        arrays, data = (
            {name: tensor.detach().cpu().numpy().copy() for name, tensor in each.items()}
            for each in (self.learnt, {name: tensor for name, tensor in self.data.items() if name in used})
        )
        made = program([f"{name} = {code}" for name, code in self.lines], arrays, data)
        values, near = made.lines.run(made.given), NEAR[self.kind]
        ours, theirs = float(values[made.loss_name]), float(found.tensor)
        if not math.isclose(ours, theirs, rel_tol=near, abs_tol=near):
            raise ValueError(f"these lines give the loss {ours:.6g}, and the module {theirs:.6g}: they do not match")
        given = [self.data[name].clone() for name in (*(each.name for each in entering), "y")]
        with self.torch.random.fork_rng(devices=[]), self.torch.enable_grad():
            found, learnt = loss(self.module(*given[:-1]), given[-1]), [*self.learnt.values()]
            has_slopes = found.requires_grad
            slopes = self.torch.autograd.grad(found, learnt, allow_unused=True) if has_slopes else [None] * len(learnt)
        torch_lines.check_slopes(dict(zip(self.learnt, slopes, strict=True)), values, near)
        return made

    def _all_of(self, root: Any, what: str, entering: Iterable[Any]) -> Any:
        """What comes out of a whole module or function: one that PyTorch has, or a graph of operations."""
        tracer, is_module = self.fx.Tracer(), isinstance(root, self.torch.nn.Module)
        if is_module and tracer.is_leaf_module(root, ""):
            return self._module(root, what, tuple(entering), {})
        try:
            graph = tracer.trace(root)
        except Exception as error:  # whatever a forward does that cannot be traced
            raise ValueError(f"torch.fx cannot trace {what}, {type(root).__name__}: {error}") from error
        return self._run(tracer.root, graph, entering)  # which holds what a function has from outside, too

    def _run(self, root: Any, graph: Any, entering: Iterable[Any]) -> Any:
        """What comes out of a graph of operations, whose lines are written on the way."""
        known: dict[Any, Any] = {}
        waiting = iter(entering)
        for node in graph.nodes:
            args, kwargs = self.fx.node.map_arg((node.args, node.kwargs), known.__getitem__)
            if node.op == "placeholder":
                known[node] = next(waiting, args[0] if args else None)
            elif node.op == "get_attr":
                owner, _, own = node.target.rpartition(".")
                known[node] = self._value(
                    getattr(root.get_submodule(owner), own), node.target.replace(".", "_").strip("_")
                )
            elif node.op == "call_module":
                known[node] = self._module(root.get_submodule(node.target), node.target, args, kwargs)
            elif node.op == "output":
                return args[0]
            elif node.op == "call_method":
                known[node] = self._operation(node.target, lambda x, *rest, _of=node.target, **named: getattr(x, _of)(
                    *rest, **named), args, kwargs)  # fmt: skip
            else:
                known[node] = self._operation(node.target.__name__, node.target, args, kwargs)
        raise AssertionError("a graph ends with its output")

    # Names

    def _free(self, name: str) -> str:
        name = name.strip("_") if name.strip("_").isidentifier() else f"p{name}"
        free = next(each for each in chain([name], (f"{name}_{k}" for k in count(2))) if each not in self.taken)
        self.taken.add(free)
        return free

    def _numbered(self, letter: str) -> str:
        return self._free(next(each for k in count(1) if (each := f"{letter}{k}") not in self.taken))

    def _given(self, name: str, given: Any) -> Value:
        tensor = self.torch.as_tensor(given)
        self.data[name] = tensor.to(getattr(self.torch, self.kind)) if tensor.is_floating_point() else tensor
        return Value(name, self.data[name].clone())  # which a ReLU(inplace=True) may change

    def _value(self, tensor: Any, name: str) -> Any:
        """A tensor under its name, if it is one; one that is new is data."""
        if not isinstance(tensor, self.torch.Tensor):
            return tensor
        for known, other in (*self.learnt.items(), *self.data.items()):
            if other is tensor:
                return Value(known, tensor)
        name = self._free(name) if len(name) > 1 else self._numbered(name)
        self.data[name] = tensor
        return Value(name, tensor)

    def _line(self, code: str, tensor: Any, letter: str = "A") -> Value:
        name = self._numbered(letter)
        self.lines.append((name, code))
        return Value(name, tensor)

    def _renamed(self, value: Value, name: str) -> Value:
        """The value under another name, as the last line; as it is where others use it, or where it has no line."""
        codes = dict(self.lines)
        if value.name not in codes or any(value.name in names_in(code) for code in codes.values()):
            return value
        self.lines.remove((value.name, codes[value.name]))
        self.lines.append((name, codes[value.name]))
        return Value(name, value.tensor)

    # Operations

    def _module(self, module: Any, path: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        kind = type(module).__name__
        known = kind in MODULES or kind.lower() in (*BY_CELL, *SAME)
        if not type(module).__module__.startswith("torch.nn.") or not known:
            raise ValueError(f"from_torch has no line for {path}, {module}: {INSTEAD}")
        name, of_module = MODULES.get(kind, (kind.lower(), ()))
        own = {each: self._value(getattr(module, each), each) for each in of_module}
        return self._operation(name, module, args, kwargs, own)

    def _operation(self, name: str, run: Any, args: Any, kwargs: Mapping[str, Any], own: Any = None) -> Any:
        """What an operation gives; where that is a tensor, its line is written. `own` is what a module has itself."""
        if not any(isinstance(each, Value) for each in flat((args, [*kwargs.values()]))):
            return run(*args, **kwargs)
        named = {**kwargs, **(own or {})}
        if name == "dropout":
            return self._dropout(*args, **named)
        try:
            found = run(*real_of(args), **real_of(kwargs))
        except (RuntimeError, IndexError) as error:
            raise ValueError(f"{name} stopped with {type(error).__name__}: {error}") from error
        if name in CONSTANT or not isinstance(flat([found])[0], self.torch.Tensor):
            return found
        if name in SAME:
            return args[0]
        args = tuple(self._value(each, "c") for each in args)
        named = {key: value for key, value in named.items() if key not in ("inplace", "_stacklevel")}
        try:
            return self._written(name, found, args, named, "H" if own is not None or name == "relu" else "A")
        except (TypeError, KeyError, IndexError, AttributeError):
            options = f" with {', '.join(kwargs)}" * bool(kwargs)
            raise ValueError(f"from_torch has no line for {name}{options}, as it is called here: {INSTEAD}") from None

    def _written(self, name: str, found: Any, args: Any, named: dict[str, Any], letter: str) -> Any:
        """The result of an operation, by its lines. Raises TypeError and the like for what is not known here."""
        x = args[0]
        if name in BY_CELL and not named:
            return self._line(BY_CELL[name].format(*map(text_of, args)), found, letter)
        if name == "gelu" and named.pop("approximate", "none") != "tanh":
            raise ValueError("from_torch has no line for a GELU with erf: GELU(approximate='tanh') has one")
        if name == "cross_entropy" and args[1].tensor.is_floating_point():
            name += ", probabilities"
        is_of_rows = name == "nll_loss" or name.startswith("cross_entropy") or name == "batch_norm"
        if is_of_rows and x.tensor.ndim != 2:
            raise ValueError(f"from_torch has a line for {name} of rows, (N, K); this has {tuple(x.tensor.shape)}")
        if name in ("rnn_cell", "lstm_cell", "gru_cell"):
            args = (x, *self._start(name, args, named))
        if name in WRITTEN:
            return self._by_table(name, found, args, named)
        if name in REDUCED:
            return self._line(self._reduced(name, x, found, *args[1:], **named), found)
        if name in RESHAPED:
            return self._line(f"{x.name}.reshape({', '.join(map(str, found.shape))})", found)
        if name in TURNED or (name == "getattr" and args[1] in ("T", "mT")):
            return self._turned(x, found)
        if name == "getitem":
            if not isinstance(x, Value):
                return x[args[1]]
            items = args[1] if isinstance(args[1], tuple) and not isinstance(args[1], Value) else (args[1],)
            return self._line(f"{x.name}[{', '.join(map(index_of, items))}]", found)
        if name in ("cat", "stack"):
            (dim,) = (*args[1:], *named.values()) or (0,)
            parts = ", ".join(each.name for each in x)
            return self._line(f"np.{'concatenate' if name == 'cat' else name}([{parts}], axis={dim})", found)
        if name in ("chunk", "split", "unbind"):
            return self._parted(x, found, named.get("dim", (*args[1 + (name != "unbind") :], 0)[0]))
        raise TypeError(name)

    def _by_table(self, name: str, found: Any, args: Any, named: dict[str, Any]) -> Any:
        takes, *lines = WRITTEN[name]
        values: dict[str, Any] = {}
        for each, given in zip(names := [each.partition("=")[0] for each in takes.split()], args, strict=False):
            values[each] = given
        for each in takes.split():
            key, _, default = each.partition("=")
            values.setdefault(key, named.pop(key) if key in named else default or None)
        refused = [key for key, value in named.items() if value not in (None, 0.0, False, *USUAL.get(key, ()))]
        if refused or len(args) > len(names):
            known = name.partition(",")[0]
            raise ValueError(f"from_torch has no line for {known} with {', '.join(refused) or 'more than that'}")
        if values.get("reduction", "mean") not in ("mean", "sum"):
            raise ValueError("the loss must give one number: leave its reduction at 'mean', or 'sum'")
        texts = {key: value if isinstance(value, str) else text_of(value) for key, value in values.items()}
        if name.endswith("cell"):
            n = values["weight_hh"].tensor.shape[1]
            texts |= {"n": str(n), **{f"n{k}": str(k * n) for k in (2, 3, 4)}}
        last: list[Value] = []
        for line in lines:
            letter, _, code = line.partition(": ")
            for key, value in values.items():
                if value is None:
                    code = code.replace(f" + {{{key}}}", "").replace(f"{{{key}}} * ", "")
            last.append(self._line(code.format_map(texts), found, letter))
            texts[letter] = last[-1].name
        if name == "lstm_cell":
            return last[-1]._replace(tensor=found[0]), last[-2]._replace(tensor=found[1])
        return last[-1]

    def _start(self, name: str, args: Any, named: dict[str, Any]) -> Any:
        """What a cell has from the step before, 0 where it is handed none."""
        given = args[1] if len(args) > 1 else named.pop("hx", None)
        if given is None:
            n = named["weight_hh"].tensor.shape[1]
            zeros = self.torch.zeros(*args[0].tensor.shape[:-1], n, dtype=getattr(self.torch, self.kind))
            given = [self._value(zeros.clone(), each) for each in (("h0", "c0") if name == "lstm_cell" else ("h0",))]
        return given if name == "lstm_cell" or isinstance(given, list) else (given,)

    def _dropout(self, x: Value, p: float = 0.5, training: bool = True, inplace: bool = False) -> Value:
        if not training or not p:
            return x
        kept = self.torch.nn.functional.dropout(self.torch.ones_like(x.tensor), p)
        mask = self._numbered("mask")
        self.data[mask] = kept != 0
        return self._line(f"{x.name} * {mask} / (1 - {p!r})", x.tensor * kept, "D")

    def _reduced(self, name: str, x: Value, found: Any, dim: Any = None, keepdim: bool = False, **named: Any) -> str:
        less = int(named.pop("unbiased", True)) if "correction" not in named else named.pop("correction")
        if named:
            raise TypeError
        axes = dim if dim is None or isinstance(dim, int) else tuple(dim)
        options = [f"axis={axes}"] * (axes is not None) + ["keepdims=True"] * keepdim
        n = x.tensor.numel() // found.numel()
        return f"{x.name}.{REDUCED[name]}({', '.join(options)})" + f" * {n} / {n - less}" * (
            name == "var" and bool(less)
        )

    def _turned(self, x: Value, found: Any) -> Value:
        if (found.shape, found.stride()) == (x.tensor.shape, x.tensor.stride()):
            return x
        if x.tensor.ndim < 2 or (found.shape, found.stride()) != (x.tensor.mT.shape, x.tensor.mT.stride()):
            raise ValueError("from_torch has a line for swapping the last two axes, .mT, and for no others")
        return self._line(f"{x.name}.mT", found)

    def _parted(self, x: Value, found: Any, dim: int) -> tuple[Value, ...]:
        axis, pieces, start = dim % x.tensor.ndim, list[Value](), 0
        for piece in found:
            wide = piece.shape[axis] if piece.ndim == x.tensor.ndim else 0
            at = ", ".join([":"] * axis + [f"{start}:{start + wide}" if wide else str(start)])
            pieces.append(self._line(f"{x.name}[{at}]", piece))
            start += wide or 1
        return tuple(pieces)
