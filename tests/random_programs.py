"""Forward passes drawn at random, in odd shapes too, and their gradients without any calculus."""

import numpy as np

from backprop_lab.lines import NAMESPACE

UNARY = [
    "np.tanh({0})", "np.exp(-{0}**2)", "np.sin({0})", "np.cos({0})", "np.sqrt(1 + {0}**2)", "np.log(1.5 + {0}**2)",
    "1 / (1 + np.exp(-{0}))", "{0}**2", "{0}**3 / 4", "(1 + {0}**2) ** -0.5", "np.abs({0})", "np.square({0})",
    "np.log1p({0}**2)", "np.maximum({0}, 0)", "np.maximum(0, {0})", "np.minimum({0}, 0.3)", "np.clip({0}, -0.5, 0.5)",
    "-{0}", "2 * {0}", "{0} / 3", "0.3 * {0}", "1 - {0}", "abs({0})", "np.where({0} > 0, {0}, 0.1 * {0})",
    "np.maximum({0}, 0.1 * {0})", "{0} * ({0} > 0.2)", "1 / (2 + {0}**2)", "np.where({0} < 0.1, 1, {0})",
    "(2 + np.sin({0})) ** -1", "np.tanh({0}) * {0}", "np.where(~({0} > 0) & ({0} > -1), {0}, 2 * {0})",
]  # fmt: skip
BINARY = [
    "{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / (1 + {1}**2)", "np.maximum({0}, {1})", "np.where({0} > {1}, {0}, {1})",
    "np.logaddexp({0}, {1})", "{0} * ({1} > 0)", "np.minimum({0}, {1})", "({0} - {1}) ** 2", "np.tanh({0} + {1})",
    "{0} * {1} + {0}", "np.where(({0} > 0) | ({1} > 0), {0}, {1})",
]  # fmt: skip
MATRIX = ["{0} @ {1}", "{0}.mT @ {1}", "{0} @ {1}.mT", "np.dot({0}, {1})", "{0}.T @ {1}", "np.matmul({0}, {1})",
          "{0}.dot({1})", 'np.einsum("ab,bc->ac", {0}, {1})', 'np.einsum("ab,cb->abc", {0}, {1})',
          'np.einsum("ab,ab->a", {0}, {1})']  # fmt: skip


class Analytic:
    """NumPy with functions that a complex step goes through."""

    def __getattr__(self, name):
        return vars(Analytic).get(f"_{name}", getattr(np, name))

    _var = staticmethod(lambda x, axis=None, keepdims=False: np.mean(
        (x - np.mean(x, axis=axis, keepdims=True)) ** 2, axis=axis, keepdims=keepdims))  # fmt: skip
    _std = staticmethod(lambda x, axis=None, keepdims=False: np.sqrt(Analytic._var(x, axis, keepdims)))
    _far_from_0 = staticmethod(lambda *args, **named: _checked(np.std(*args, **named)))
    _abs = staticmethod(lambda x: x * np.sign(np.real(x)))
    _logaddexp = staticmethod(lambda a, b: np.log(np.exp(a) + np.exp(b)))


def _checked(values):
    if np.any(np.real(values) < 0.01):
        raise ValueError
    return values


def run(lines, given, analytic=False):
    values = NAMESPACE | given
    if analytic:
        values = values | {"np": Analytic(), "abs": Analytic._abs}
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


class RandomProgram:
    """`lines`, and what is given: `parameters`, `data`; drawn by a seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        lengths = self.rng.choice([1, 1, 2, 3, 3, 4], size=3)
        self.lengths = [int(n) for n in lengths]
        self.parameters, self.data, self.lines = {}, {}, []
        kind = self.rng.integers(8)
        for k in range(self.rng.integers(1, 4)):
            self.parameters[f"w{k}"] = self.draw(self.shape(kind))
        for k in range(0 if kind == 1 else self.rng.integers(0, 3)):
            self.data[f"x{k}"] = self.draw(self.shape(kind))
        self.values = run([], self.parameters | self.data)
        self.known = [*self.parameters, *self.data]
        for k in range(self.rng.integers(1, 7)):
            self.add(f"v{k}")
        used = " ".join(code for _, code in self.lines)
        left = [n for n in self.known if n not in self.data and not _names(used, n)] or [self.known[-1]]
        terms = [self.scalar(n) for n in left]
        self.lines.append(("L", " + ".join(terms)))

    def draw(self, shape):
        return self.rng.standard_normal(shape) if shape else np.array(self.rng.standard_normal())

    def shape(self, kind):
        if kind == 0:
            return ()  # scalars alone
        n = self.rng.choice([0, 1, 2, 2, 2, 2, 2, 3])
        return tuple(int(self.rng.choice([*self.lengths, 1])) for _ in range(n))

    def pick(self, items):
        return items[self.rng.integers(len(items))]

    def scalar(self, name):
        if np.ndim(self.values[name]) == 0:
            return self.pick(["{0}", "{0}**2", "2 * {0}", "np.tanh({0})"]).format(name)
        return self.pick(
            ["np.sum({0})", "np.mean({0})", "np.sum({0}**2)", "{0}.mean() / 2", "np.mean({0}**2)", "np.sum(np.tanh({0}))",
             "0.5 * np.sum(np.sin({0}))", "-np.mean(np.exp(-{0}**2))", "np.sum({0}) ** 2", "np.sum({0} * {0})"]
        ).format(name)  # fmt: skip

    def add(self, name):
        for _ in range(60):
            code = self.expression(2 if self.rng.random() < 0.4 else 1)
            try:
                value = run([("v", code)], self.values)["v"]
                run([("v", code.replace("np.std", "np.far_from_0"))], self.values, analytic=True)
            except Exception:
                continue
            if np.size(value) and np.size(value) < 300 and np.ndim(value) < 5 and np.abs(value).max() < 30:
                if np.asarray(value).dtype.kind == "f" and code not in self.known:
                    self.lines.append((name, code))
                    self.values[name] = value
                    self.known.append(name)
                    return

    def expression(self, depth):
        def operand():
            if depth > 1 and self.rng.random() < 0.6:
                return f"({self.expression(depth - 1)})"
            return self.pick(self.known)

        a = operand()
        shape = np.shape(run([("v", a)], self.values)["v"]) if "(" not in a or self.is_fine(a) else ()
        ways = ["unary", "unary", "binary", "binary", "matrix", "reduce", "softmax", "index", "shape", "join"]
        way = self.pick(ways) if shape else self.pick(ways[:4])
        if way == "unary":
            return self.pick(UNARY).format(a)
        if way == "binary":
            return self.pick(BINARY).format(a, operand())
        if way == "matrix":
            return self.pick(MATRIX).format(a, operand())
        if way == "reduce":
            return self.reduction(a, shape)
        if way == "softmax":
            return self.softmax(a, shape)
        if way == "index":
            return self.index(a, shape)
        if way == "join":
            axis = self.rng.integers(len(shape))
            b, c = operand(), operand()
            return self.pick([f"np.concatenate([{a}, {b}], axis={axis})", f"np.stack([{a}, {b}, {c}], axis={axis})",
                              f"np.concatenate(({a}, {a}[::1], {b}), axis={axis})", f"np.stack([{a}, {b}])"])  # fmt: skip
        return self.reshaped(a, shape)

    def is_fine(self, code):
        try:
            run([("v", code)], self.values)
        except Exception:
            return False
        return True

    def reduction(self, a, shape):
        name = self.pick(["sum", "mean", "max", "min", "sum", "mean", "var", "std"])
        axes = self.pick([None, *range(len(shape)), -1, tuple(range(len(shape)))[:2]])
        where = [] if axes is None else [f"axis={axes}"]
        if self.rng.random() < 0.5:
            where.append("keepdims=True")
        if name == "std":
            a = f"({a} + np.arange({shape[-1]}))"
        if name in ("var", "std") or self.rng.random() < 0.5:
            return f"np.{name}({', '.join([a, *where])})"
        return f"({a}).{name}({', '.join(where)})"

    def softmax(self, a, shape):
        axis = self.rng.integers(len(shape))
        where = f"axis={axis}, keepdims=True"
        return self.pick([
            f"np.exp({a}) / np.exp({a}).sum({where})", f"{a} - np.log(np.exp({a}).sum({where}))",
            f"np.log(np.exp({a}) / np.exp({a}).sum({where}))", f"np.exp({a}) / np.exp({a}).sum()",
            f"{a} - {a}.max({where})", f"np.exp({a} - {a}.max({where})) / np.exp({a} - {a}.max({where})).sum({where})",
        ])  # fmt: skip

    def index(self, a, shape):
        n = shape[0]
        k = int(self.rng.integers(n))
        ix = f"i{len(self.data)}"
        way = self.rng.integers(9)
        if way < 3:
            size = (3,) if way < 2 else (2, 2)
            self.give(ix, self.rng.integers(n, size=size))
            if way == 1 and len(shape) > 1:
                self.give(ix, self.rng.integers(shape[1], size=n))
                return f"{a}[np.arange({n}), {ix}]" if self.rng.random() < 0.5 else f"{a}[np.arange(len({a})), {ix}]"
            return f"{a}[{ix}]"
        if way == 3 and len(shape) > 1:
            self.give(ix, self.rng.integers(shape[-1], size=2))
            return f"{a}[..., {ix}]"
        if way == 4:
            return f"{a}[{k}]" if self.rng.random() < 0.5 or n == 1 else f"{a}[-1]"
        if way == 5 and len(shape) > 1:
            return self.pick([f"{a}[:, 0]", f"{a}[{k}, 0]", f"{a}[:, :, None]", f"{a}[:, None]", f"{a}[0:1, 1:]"])
        if way == 6 and len(shape) > 1:
            self.give(ix, np.array(self.rng.integers(shape[1])))
            return f"{a}[{k}, {ix}]" if self.rng.random() < 0.5 else f"{a}[:, {ix}]"
        return self.pick(
            [f"{a}[:{k + 1}]", f"{a}[{k}:]", f"{a}[..., None]", f"{a}[None]", f"{a}[..., :2]", f"{a}[-1:]"]
        )

    def give(self, name, value):
        self.data[name] = value
        self.values[name] = value

    def reshaped(self, a, shape):
        ways = [f"{a}.reshape(-1)", f"{a}.reshape({shape[0]}, -1)", f"np.reshape({a}, (-1, 1))", f"{a}.reshape(1, -1)"]
        if len(shape) > 1:
            ways += [f"{a}.mT", f"{a}.reshape(len({a}), -1)", f"{a}.mT.reshape(-1)", f"{a}.reshape({a}.shape[1], -1)"]
        ways += [f"{a} / {a}.size", f"{a} * len({a})", f"{a} / np.sqrt({a}.shape[{len(shape) - 1}])"]
        return self.pick(ways)


def _names(code, name):
    import re

    return re.search(rf"\b{name}\b", code) is not None
