"""Forward passes drawn at random, in odd shapes too, and their gradients without any calculus."""

import math
import re

import autograd
import autograd.numpy as anp
import numpy as np

from backprop_lab.nn.lines import NAMESPACE

UNARY = [
    "np.tanh({0})", "np.exp(-{0}**2)", "np.sin({0})", "np.cos({0})", "np.sqrt(1 + {0}**2)", "np.log(1.5 + {0}**2)",
    "1 / (1 + np.exp(-{0}))", "{0}**2", "{0}**3 / 4", "(1 + {0}**2) ** -0.5", "np.abs({0})", "np.square({0})",
    "np.log1p({0}**2)", "np.maximum({0}, 0)", "np.maximum(0, {0})", "np.minimum({0}, 0.3)", "np.clip({0}, -0.5, 0.5)",
    "-{0}", "2 * {0}", "{0} / 3", "0.3 * {0}", "1 - {0}", "abs({0})", "np.where({0} > 0, {0}, 0.1 * {0})",
    "np.maximum({0}, 0.1 * {0})", "{0} * ({0} > 0.2)", "1 / (2 + {0}**2)", "np.where({0} < 0.1, 1, {0})",
    "(2 + np.sin({0})) ** -1", "np.tanh({0}) * {0}", "np.where(~({0} > 0) & ({0} > -1), {0}, 2 * {0})",
    "np.where({0} > 0, np.sqrt(0.1 + np.abs({0})), {0})", "1.0 / (1.0 + np.exp(-2 * {0}))",
]  # fmt: skip
BINARY = [
    "{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / (1 + {1}**2)", "np.maximum({0}, {1})", "np.minimum({0}, {1})",
    "np.where({0} > {1}, {0}, {1})", "np.logaddexp({0}, {1})", "{0} * ({1} > 0)", "({0} - {1}) ** 2",
    "np.tanh({0} + {1})", "{0} * {1} + {0}", "np.where(({0} > 0) | ({1} > 0), {0}, {1})", "{0} - np.exp({1}) / 9",
]  # fmt: skip
MATRIX = [
    "{0} @ {1}", "{0}.mT @ {1}", "{0} @ {1}.mT", "np.dot({0}, {1})", "{0}.T @ {1}", "np.matmul({0}, {1})",
    "{0}.dot({1})", 'np.einsum("ab,bc->ac", {0}, {1})', 'np.einsum("ab,cb->abc", {0}, {1})',
    'np.einsum("ab,ab->a", {0}, {1})', 'np.einsum("ab,ab->", {0}, {1})',
]  # fmt: skip
SOFTMAX = [
    "np.exp({0}) / np.exp({0}).sum({1})", "{0} - np.log(np.exp({0}).sum({1}))", "np.exp({0}) / np.exp({0}).sum()",
    "np.log(np.exp({0}) / np.exp({0}).sum({1}))", "{0} - {0}.max({1})", "{0} - np.exp({0}).sum({1})",
    "np.exp({0} - {0}.max({1})) / np.exp({0} - {0}.max({1})).sum({1})",
]  # fmt: skip
SUMS = [
    "np.sum({0})", "np.mean({0})", "np.sum({0}**2)", "{0}.mean() / 2", "np.mean({0}**2)", "np.sum(np.tanh({0}))",
    "0.5 * np.sum(np.sin({0}))", "-np.mean(np.exp(-{0}**2))", "np.sum({0}) ** 2", "np.sum({0} * {0})",
]  # fmt: skip
# What a program may run into by chance.
MAY_BE_REFUSED = (
    "every pair of numbers|einsum's . is|np.dot with|two axes to swap|reverses the order of all|no slope|be joined|"
    "@ .* has no rule: write np.sum|holds nothing"
)


class Analytic:
    """NumPy with functions that a complex step goes through."""

    def __getattr__(self, name):
        return vars(Analytic).get(f"_{name}", getattr(np, name))

    _var = staticmethod(lambda x, axis=None, keepdims=False: np.mean(
        (x - np.mean(x, axis=axis, keepdims=True)) ** 2, axis=axis, keepdims=keepdims))  # fmt: skip
    _std = staticmethod(lambda x, axis=None, keepdims=False: np.sqrt(Analytic._var(x, axis, keepdims)))
    _abs = staticmethod(lambda x: x * np.sign(np.real(x)))
    _logaddexp = staticmethod(lambda a, b: np.log(np.exp(a) + np.exp(b)))


def run(lines, given, analytic=False):
    """The values of lines by name, with what is given."""
    values = NAMESPACE | given
    if analytic:
        values |= {"np": Analytic(), "abs": Analytic._abs}
    with np.errstate(all="ignore"):
        for name, code in lines:
            values[name] = eval(code, {**values})
    return values


def numeric_gradient(lines, given, name, loss="L"):
    """d(loss)/d(name) by the complex step, entry by entry."""
    value, found = given[name], np.zeros(np.shape(given[name]))
    for at in np.ndindex(np.shape(value)):
        moved = np.array(value, complex)
        moved[at] += 1e-30j
        found[at] = np.imag(run(lines, given | {name: moved}, analytic=True)[loss]) / 1e-30
    return found


def gradients_by_autograd(lines, given, names, loss):
    """d(loss)/d(name) for each of `names` by another library, from nothing but the forward pass."""

    def value(*learnt):
        values = {"np": anp, "math": math, **given, **dict(zip(names, learnt, strict=True))}
        for name, code in lines:
            values[name] = eval(code.replace(".mT", ".swapaxes(-1, -2)"), values)
        return values[loss]

    found = autograd.grad(value, tuple(range(len(names))))(*(given[name] for name in names))
    return dict(zip(names, found, strict=True))


class RandomProgram:
    """`lines`, and what is given: `parameters` and `data`; drawn by a seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.lengths = self.rng.choice([1, 1, 2, 3, 3, 4], size=3).tolist()
        kind = ["scalars", "no data", "", "", "", "", ""][self.rng.integers(7)]
        learnt, data = self.rng.integers(1, 4), 0 if kind == "no data" else self.rng.integers(0, 3)
        self.parameters = {f"w{k}": self.draw(kind) for k in range(learnt)}
        self.data = {f"x{k}": self.draw(kind) for k in range(data)}
        self.lines = []
        self.values = {**self.parameters, **self.data}
        self.known = [*self.values]
        for k in range(self.rng.integers(1, 7)):
            self.add(f"v{k}", self.expression(self.pick([1, 1, 2])))
            if self.rng.random() < 0.1:
                self.add_softmax(self.known[-1], k)
        used = " ".join(code for _, code in self.lines)
        left = [name for name in self.known if name not in self.data and not re.search(rf"\b{name}\b", used)]
        self.lines.append(("L", " + ".join(map(self.number, left))))

    def pick(self, items):
        return items[self.rng.integers(len(items))]

    def draw(self, kind):
        axes = 0 if kind == "scalars" else self.rng.choice([0, 1, 2, 2, 2, 2, 2, 3])
        return np.array(self.rng.standard_normal([self.pick([*self.lengths, 1]) for _ in range(axes)]))

    def number(self, name):
        ways = SUMS if np.ndim(self.values[name]) else ["{0}", "{0}**2", "2 * {0}", "np.tanh({0})"]
        return self.pick(ways).format(name)

    def shape(self, code):
        """That of an expression; None where NumPy refuses it, or a slope may depend on its rounding."""
        try:
            value = run([("v", code)], self.values)["v"]
            deviations = re.findall(r"np\.std\(.*", code)  # at 0 there is no slope
            is_fine = not deviations or np.min(run([("v", deviations[0])], self.values)["v"]) > 0.01
        except Exception:
            return None
        is_noise = "np.log(" in code and np.any(np.abs(value) < 1e-12)  # as the logarithm of the only probability
        return np.shape(value) if is_fine and not is_noise else None

    def add(self, name, code):
        shape = self.shape(code)
        if shape is None or code in self.known or np.prod(shape) > 300 or len(shape) > 4 or 0 in shape:
            return
        value = run([("v", code)], self.values)["v"]
        if np.asarray(value).dtype.kind == "f" and np.abs(value).max() < 30:
            self.lines.append((name, code))
            self.values[name] = value
            self.known.append(name)

    def add_softmax(self, name, k):
        """A cross-entropy in several lines, some of which may sum along another axis than they should."""
        if np.ndim(self.values[name]) != 2:
            return
        n, K = np.shape(self.values[name])
        axis, keepdims = self.pick([1, 1, 1, 0]), self.pick(["True"] * 4 + ["False"])
        self.give(f"t{k}", self.rng.integers(K, size=n))
        self.give(f"y{k}", self.pick([np.eye(K)[self.data[f"t{k}"]], self.rng.random((n, K))]))
        self.add(f"Z{k}", f"{name} - {name}.max(axis={self.pick([1, 1, axis])}, keepdims={keepdims})")
        self.add(f"E{k}", f"np.exp({self.pick([f'Z{k}', name])})")
        self.add(f"s{k}", f"E{k}.sum(axis={axis}, keepdims=True)")
        self.add(f"P{k}", self.pick([f"E{k} / s{k}", f"E{k} * s{k} ** -1", f"E{k} / np.sum(E{k})"]))
        self.add(f"q{k}", self.pick([f"np.log(P{k})", f"Z{k} - np.log(s{k})", f"P{k}"]))
        losses = ["-np.sum({y} * {q})", "-{q}[np.arange({n}), {t}].mean()", "{q}[0, {t}[0]]", "np.sum({y} * {q}**2)",
                  "-np.log({P}[np.arange(len({P})), {t}])"]  # fmt: skip
        self.add(f"l{k}", self.pick(losses).format(y=f"y{k}", q=f"q{k}", t=f"t{k}", P=f"P{k}", n=n))

    def give(self, name, value):
        self.data[name] = self.values[name] = value

    def expression(self, depth):
        a = self.operand(depth)
        shape = self.shape(a)
        ways = [self.unary, self.unary, self.binary, self.binary, self.matrix]
        if shape and 0 not in shape:
            ways += [self.reduction, self.softmax, self.index, self.joined, self.reshaped]
        return self.pick(ways)(a, shape, depth)

    def operand(self, depth):
        code = f"({self.expression(depth - 1)})" if depth > 1 and self.rng.random() < 0.6 else ""
        return code if code and self.shape(code) is not None else self.pick(self.known)

    def unary(self, a, shape, depth):
        return self.pick(UNARY).format(a)

    def binary(self, a, shape, depth):
        return self.pick(BINARY).format(a, self.operand(depth))

    def matrix(self, a, shape, depth):
        return self.pick(MATRIX).format(a, self.operand(depth))

    def softmax(self, a, shape, depth):
        return self.pick(SOFTMAX).format(a, f"axis={self.rng.integers(len(shape))}, keepdims=True")

    def reduction(self, a, shape, depth):
        axes = self.pick([None, *range(len(shape)), -1, tuple(range(len(shape)))[:2]])
        where = [*([] if axes is None else [f"axis={axes}"]), *self.pick([["keepdims=True"], []])]
        name = self.pick(["sum", "mean", "max", "min", "sum", "mean", "var", "std"])
        if name in ("var", "std"):  # those of an array have no complex step
            return f"np.{name}({', '.join([f'{a} + np.arange({shape[-1]})', *where])})"
        return self.pick([f"np.{name}({', '.join([a, *where])})", f"{a}.{name}({', '.join(where)})"])

    def index(self, a, shape, depth):
        k, ix, n = int(self.rng.integers(shape[0])), f"i{len(self.data)}", shape[0]
        items = [f":{k + 1}", f"{k}:", "..., None", "None", "..., :2", "-1:", f"{k}"]
        if len(shape) > 1:
            items += [":, 0", f"{k}, 0", ":, :, None", ":, None", "0:1, 1:", "-1"]
        picks = [(n, (3,), f"{a}[{ix}]"), (n, (2, 2), f"{a}[{ix}]"), (shape[-1], 2, f"{a}[..., {ix}]")]
        if len(shape) > 1:
            picks += [(shape[1], n, f"{a}[np.arange({n}), {ix}]"), (shape[1], n, f"{a}[np.arange(len({a})), {ix}]"),
                      (shape[1], (), f"{a}[{k}, {ix}]"), (shape[1], (), f"{a}[:, {ix}]")]  # fmt: skip
        if self.rng.random() < 0.5:
            return f"{a}[{self.pick(items)}]"
        most, size, code = self.pick(picks)
        self.give(ix, np.array(self.rng.integers(most, size=size)))
        return code

    def joined(self, a, shape, depth):
        axis, b, c = self.rng.integers(len(shape)), self.operand(depth), self.operand(depth)
        ways = [f"np.concatenate([{a}, {b}], axis={axis})", f"np.stack([{a}, {b}, {c}], axis={axis})",
                f"np.concatenate(({a}, {a}, {b}), axis={axis})", f"np.stack([{a}, {b}])"]  # fmt: skip
        return self.pick(ways)

    def reshaped(self, a, shape, depth):
        ways = [
            f"{a}.reshape(-1)", f"{a}.reshape({shape[0]}, -1)", f"np.reshape({a}, (-1, 1))", f"{a}.reshape(1, -1)",
            f"{a} / {a}.size", f"{a} * len({a})", f"{a} / np.sqrt({a}.shape[{len(shape) - 1}])",
        ]  # fmt: skip
        if len(shape) > 1:
            ways += [f"{a}.mT", f"{a}.reshape(len({a}), -1)", f"{a}.mT.reshape(-1)", f"{a}.reshape({a}.shape[1], -1)"]
        return self.pick(ways)
