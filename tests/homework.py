"""Homework as courses ask for it: forward and backward passes as text, in many conventions, with and without mistakes.

A convention is how samples and weights lie, what things are called, and where 1/m stands; each is drawn from a seed.
"""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from backprop_lab import (
    HalfSquaredError,
    Linear,
    MeanSquaredError,
    Network,
    Problem,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SumSquaredError,
    Tanh,
)

LAYOUTS = {"ours": (False, False), "PyTorch": (False, True), "deeplearning.ai": (True, True), "MIT": (True, False)}
LETTERS = (("Z", "A"), ("z", "a"), ("Y", "H"), ("z", "h"), ("s", "o"), ("net", "out"))
VALUES = {
    "ReLU": ("np.maximum({z}, 0)", "np.maximum(0, {z})", "{z} * ({z} > 0)"),
    "Tanh": ("np.tanh({z})",),
    "Sigmoid": ("1 / (1 + np.exp(-{z}))",),
}
SLOPES = {
    "ReLU": ("({z} > 0)", "({a} > 0)", "np.where({z} > 0, 1, 0)", "(0 < {a}).astype(float)"),
    "Tanh": ("(1 - {a} ** 2)", "(1 - np.power({a}, 2))", "(1 - np.tanh({z}) ** 2)"),
    "Sigmoid": ("{a} * (1 - {a})", "(1 - {a}) * {a}"),
}
ACTIVATIONS = {"ReLU": ReLU(), "Tanh": Tanh(), "Sigmoid": Sigmoid()}


@cache
def compiled(text):
    return compile(text, "<homework>", "exec")


@dataclass
class Homework:
    """`forward` ends with the loss L; each line of `backward` is a name, and a line or several for it, in order."""

    forward: list[str]
    backward: list[tuple[str, str]]
    problem: Problem
    parameters: dict
    data: dict
    convention: str
    after: dict  # what leaves each activation, and what enters it, by their names
    gradient_before: dict  # the gradient of what enters it, and of what leaves it
    wrong: str = ""  # the name whose line has a mistake in it
    mistake: str = ""

    @property
    def text(self):
        return "\n".join(lines for _, lines in self.backward)

    def run(self, parameters, lines=()):
        scope = {"np": np, **self.data, **parameters}
        with np.errstate(all="ignore"):
            exec(compiled("\n".join([*self.forward, *lines])), scope)
        return scope

    def loss(self, parameters):
        return self.run(parameters)["L"]

    @property
    def gradients(self):
        scope = self.run(self.parameters, [self.text])
        return {f"d{name}": scope[f"d{name}"] for name in self.parameters}


def homework(seed, mistake=None):
    """Homework in a convention drawn from a seed; with a mistake, if it has room for that."""
    rng = np.random.default_rng(seed)

    def one_of(*choices):
        return choices[rng.integers(len(choices))]

    depth = one_of(1, 2, 2, 3)
    layout = one_of(*LAYOUTS)
    columns, across = LAYOUTS[layout]
    samples, *widths = (int(n) for n in rng.integers(2, 6, depth + 2))
    if rng.random() < 0.3:
        widths = [samples] * (depth + 1)
    is_softmax = rng.random() < 0.5
    activations = [one_of(*ACTIVATIONS) for _ in range(depth)]
    if is_softmax or rng.random() < 0.5:
        activations[-1] = ""
    loss = SoftmaxCrossEntropy() if is_softmax else one_of(SumSquaredError(), HalfSquaredError(), MeanSquaredError())
    layers, parameters = [], {}
    flat = not columns and rng.random() < 0.5
    for k in range(1, depth + 1):
        W, b = rng.standard_normal((widths[k - 1], widths[k])), rng.standard_normal((1, widths[k]))
        layers += [Linear(W, b), *([ACTIVATIONS[activations[k - 1]]] if activations[k - 1] else [])]
        parameters |= {f"W{k}": W.T if across else W, f"b{k}": b.ravel() if flat else b.T if columns else b}
    X, y = rng.standard_normal((samples, widths[0])), rng.standard_normal((samples, widths[-1]))
    labels = rng.integers(widths[-1], size=samples)
    y = np.eye(widths[-1])[labels] if is_softmax else y
    problem = Problem(Network(tuple(layers)), loss, X, y, 0.1)

    # Names and lines
    before, after = one_of(*LETTERS)
    z, a = {0: "X"}, {0: "X"}
    for k in range(1, depth + 1):
        z[k] = f"{before}{k}"
        a[k] = f"{after}{k}" if activations[k - 1] else z[k]
    Y = one_of("y", "Y") if before != "Y" else "y"
    P = one_of("probs", "P", f"{after}{depth}") if is_softmax else a[depth]
    use_labels = is_softmax and not columns and rng.random() < 0.4
    data = {"X": X.T if columns else X, Y: labels if use_labels else y.T if columns else y}
    axis = 1 if columns else 0
    dot = one_of("{} @ {}", "np.dot({}, {})")
    m, count = (one_of("m", "N"), one_of("X.shape[1]" if columns else "X.shape[0]"))
    keep = "" if flat else ", keepdims=True"
    forward = [f"{m} = {count}"]
    for k in range(1, depth + 1):
        W = f"W{k}" if across == columns else f"W{k}.T"
        forward.append(f"{z[k]} = {dot.format(W, a[k - 1]) if columns else dot.format(a[k - 1], W)} + b{k}")
        if activations[k - 1]:
            forward.append(f"{a[k]} = {one_of(*VALUES[activations[k - 1]]).format(z=z[k])}")
    if is_softmax:
        forward.append(f"E = np.exp({z[depth]} - {z[depth]}.max(axis={1 - axis}, keepdims=True))")
        forward.append(f"{P} = E / E.sum(axis={1 - axis}, keepdims=True)")
        taken = f"np.log({P}[range({m}), {Y}])" if use_labels else f"{Y} * np.log({P})"
        forward.append(f"L = -np.sum({taken}) / {m}")
    else:
        whole = {SumSquaredError: "", HalfSquaredError: " / 2", MeanSquaredError: f" / {Y}.size"}[type(loss)]
        forward.append(f"L = np.sum(({P} - {Y}) ** 2){whole}")

    dz = {k: f"d{z[k]}" for k in z}
    if rng.random() < 0.15:
        dz = {k: f"delta{k}" for k in z}
    da = {k: f"d{a[k]}" for k in a}
    late = is_softmax and rng.random() < 0.5  # 1/m in the lines of dW and db
    backward = [(m, f"{m} = {count}")] if late or is_softmax else []
    first = dz[depth] if not activations[-1] else da[depth]
    if use_labels:
        lines = f"{first} = {P}.copy()\n{first}[range({m}), {Y}] -= 1"
        backward.append((first, lines if late else f"{lines}\n{first} /= {m}"))
    elif is_softmax:
        backward.append((first, f"{first} = {P} - {Y}" if late else f"{first} = ({P} - {Y}) / {m}"))
    else:
        two = {SumSquaredError: "2 * ", HalfSquaredError: "", MeanSquaredError: "2 * "}[type(loss)]
        whole = f" / {Y}.size" if isinstance(loss, MeanSquaredError) else ""
        backward.append((first, f"{first} = {two}({P} - {Y}){whole}"))
    for k in range(depth, 0, -1):
        if k < depth:
            W = f"W{k + 1}.T" if across == columns else f"W{k + 1}"
            back = dot.format(W, dz[k + 1]) if columns else dot.format(dz[k + 1], W)
            if activations[k - 1] and rng.random() < 0.5:
                slope = one_of(*SLOPES[activations[k - 1]]).format(z=z[k], a=a[k])
                backward.append((dz[k], f"{dz[k]} = {back} * {slope}"))
            else:
                backward.append(
                    (da[k] if activations[k - 1] else dz[k], f"{da[k] if activations[k - 1] else dz[k]} = {back}")
                )
        if activations[k - 1] and backward[-1][0] != dz[k]:
            if activations[k - 1] == "ReLU" and rng.random() < 0.4:
                backward.append((dz[k], f"{dz[k]} = np.array({da[k]}, copy=True)\n{dz[k]}[{z[k]} <= 0] = 0"))
            else:
                slope = one_of(*SLOPES[activations[k - 1]]).format(z=z[k], a=a[k])
                backward.append((dz[k], f"{dz[k]} = {da[k]} * {slope}"))
        over = one_of(f"1 / {m} * ", f"(1 / {m}) * ") if late else ""
        x = a[k - 1]
        if columns:
            dW = dot.format(dz[k], f"{x}.T") if across else dot.format(x, f"{dz[k]}.T")
        else:
            dW = dot.format(f"{dz[k]}.T", x) if across else dot.format(f"{x}.T", dz[k])
        db = one_of(f"np.sum({dz[k]}, axis={axis}{keep})", f"{dz[k]}.sum(axis={axis}{keep})")
        pair = [(f"dW{k}", f"dW{k} = {over}{dW}"), (f"db{k}", f"db{k} = {over}{db}")]
        backward += pair if rng.random() < 0.7 else pair[::-1]
    after_of = {a[k]: z[k] for k in a if a[k] != z[k]}
    gradients = {dz[k]: da[k] for k in a if a[k] != z[k] and any(name == da[k] for name, _ in backward)}
    said = (
        f"{layout}, {before} and {after}{', 1/m in the lines of dW' * late}{', labels' * use_labels}{', flat' * flat}"
    )
    found = Homework(forward, backward, problem, parameters, data, said, after_of, gradients)
    return with_mistake(found, mistake, rng, axis) if mistake else found


def _once(line, old, new):
    return line.replace(old, new, 1)


def _without_axis(line, axis):
    return re.sub(rf",? ?axis={axis}(, )?", lambda found: ", " if found[0][0] == "," and found[1] else "", line)


MISTAKES = {  # which line has it, and what becomes of that line where samples lie along an axis
    "sign": ("any", lambda line, axis: _once(line, " = ", " = -(") + ")"),
    "doubled": ("any", lambda line, axis: _once(line, " = ", " = 2 * (") + ")"),
    "slope forgotten": ("slope", lambda line, axis: _once(line, line[line.index(" * ") :], "")),
    "mask upside down": ("slope", lambda line, axis: line.replace(" > 0", " < 0").replace("0 < ", "0 > ")),
    "slope of the input": ("slope", lambda line, axis: line),
    "axis forgotten": ("db", _without_axis),
    "other axis": ("db", lambda line, axis: line.replace(f"axis={axis}", f"axis={1 - axis}")),
    "mean": ("db", lambda line, axis: line.replace("np.sum", "np.mean").replace(".sum(", ".mean(")),
    "raw input": ("dW", lambda line, axis: line),
    "another gradient": ("parameter", lambda line, axis: line),
    "1/m forgotten": ("parameter", lambda line, axis: re.sub(r"\(?1 / [mN]\)? \* ", "", line)),
    "divided twice": ("parameter", lambda line, axis: f"{line} / len(X.T if {axis} else X)"),
}


def with_mistake(work, mistake, rng, axis):
    """The same homework with a mistake in one line; `wrong` stays empty if there is no room for it."""
    kind, change = MISTAKES[mistake]
    swapped = {"slope of the input": work.after, "raw input": work.after, "another gradient": work.gradient_before}
    places = []
    for at, (name, line) in enumerate(work.backward):
        kinds = {"any", name[:2], "parameter" if name[1:] in work.parameters else "slope" if " * " in line else ""}
        if kind not in kinds or "\n" in line or name in ("m", "N") or (kind == "slope" and not is_slope(line)):
            continue
        left, _, right = change(line, axis).partition(" = ")
        for old, new in swapped.get(mistake, {}).items():
            right = re.sub(rf"\b{old}\b", new, right)
        if f"{left} = {right}" != line:
            places.append((at, name, f"{left} = {right}"))
    if places:
        at, name, new = places[rng.integers(len(places))]
        work.backward[at] = (name, new)
        work.wrong, work.mistake = name, mistake
    return work


def is_slope(line):
    return "2 * (" not in line and any(part in line for part in ("> 0", "0 <", "1 -"))
