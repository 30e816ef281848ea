"""Wrong homework is told what it is: exactly, by its numbers, or by the change in a line that makes it right."""

import ast
import linecache
import re
import sys

import numpy as np
import pytest
from common import count
from more_homework import ALL
from test_check_lines import PASSES
from test_diagnosis import by_name, right, takes_arrays, wrong_homework

from backprop_lab import diagnose

CLASS = """
def affine_backward(dout, cache):
    x, w, b = cache
    return dout.dot(w.T), x.T.dot(dout), np.sum(dout, axis=0)


def relu_backward(dout, cache):
    return dout * (dout > 0)


class TwoLayerNet:
    def __init__(self, params, reg):
        self.params, self.reg = params, reg

    def loss(self, X, y):
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        a = X.dot(W1) + b1
        h = np.maximum(0, a)
        scores = h.dot(W2) + b2
        probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        loss = -np.log(probs[range(len(y)), y]).mean() + 0.5 * self.reg * (np.sum(W1 * W1) + np.sum(W2 * W2))
        probs[range(len(y)), y] -= 1
        grads = {}
        dh, grads["W2"], grads["b2"] = affine_backward(probs / len(y), (h, W2, b2))
        da = relu_backward(dh, a)
        dx, grads["W1"], grads["b1"] = affine_backward(da, (X, W1, b1))
        grads["W2"] += self.reg * W2
        grads["W1"] += self.reg * W1
        return loss, grads


def loss(p):
    net.params = p
    return net.loss(X, y)
"""
TWO_FUNCTIONS = """
def forward(X, p):
    A1 = np.tanh(np.dot(p["W1"], X) + p["b1"])
    A2 = 1 / (1 + np.exp(-(np.dot(p["W2"], A1) + p["b2"])))
    return A2, {"A1": A1, "A2": A2}


def loss(p):
    A2, cache = forward(X, p)
    return -np.sum(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)) / Y.shape[1]


def backward(p, cache, X, Y):
    m = X.shape[1]
    A1, A2 = cache["A1"], cache["A2"]
    dZ2 = A2 - Y
    dW2, db2 = 1 / m * np.dot(dZ2, A1.T), 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(p["W2"].T, dZ2) * (1 - A1)
    dW1, db1 = 1 / m * np.dot(dZ1, X.T), 1 / m * np.sum(dZ1, axis=1, keepdims=True)
    return {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}


def gradients(p):
    return backward(p, forward(X, p)[1], X, Y)
"""
GLOBALS = """
def loss_and_gradients(inputs, targets, hprev):
    hs, ps, loss = {-1: hprev}, {}, 0
    for t in range(len(inputs)):
        hs[t] = np.tanh(Wxh[:, inputs[t]] + Whh @ hs[t - 1])
        ps[t] = np.exp(Why @ hs[t]) / np.sum(np.exp(Why @ hs[t]))
        loss += -np.log(ps[t][targets[t]])
    dWxh, dWhh, dWhy, dhnext = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why), 0
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.outer(dy, hs[t])
        dhraw = (1 - hs[t] * hs[t]) * (Why.T @ dy + dhnext)
        dWxh[:, inputs[t]] += dhraw
        dWhh += np.outer(dhraw, hs[t])
        dhnext = Whh.T @ dhraw
    return loss, dWxh, dWhh, dWhy


def loss(p):
    globals().update(p)
    return loss_and_gradients([0, 1, 2, 2, 3], [1, 2, 2, 3, 0], np.zeros(5))
"""


def typed(source, scope):
    """What a source defines, as a cell of a notebook would: it can be read afterwards."""
    file = f"<cell {len(linecache.cache)}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    exec(compile(source, file, "exec"), scope)
    return scope


def course_typed(course, source):
    return typed(source, dict(vars(sys.modules[course.__module__])))[course.__name__]()[0]


def called(loss, parameters):
    return by_name(loss(*parameters.values()) if takes_arrays(loss) else loss(parameters), [*parameters])[1]


def is_same(one, other):
    return np.shape(one) == np.shape(other) and np.allclose(one, other, 1e-9, 1e-12)


def is_exact(said, wrong, right, at):
    """Whether what is said of a wrong gradient tells how to get the right one: by a factor, a penalty, or both."""
    of_a_factor = re.search("what it should be|would be right", said)
    of_a_penalty = re.search("penalty|is missing|is too much", said)
    if not of_a_factor and not of_a_penalty:
        return "all its numbers are 0" in said and not np.any(wrong)
    parts = [at, np.sign(at)] * bool(of_a_penalty or "would be right" in said) + [wrong] * bool(of_a_factor)
    columns = np.stack([np.ravel(part) for part in parts], axis=1)
    wanted = np.ravel(right - (0 if of_a_factor else wrong))
    return np.allclose(columns @ np.linalg.lstsq(columns, wanted, rcond=None)[0], wanted, 1e-6, 1e-9)


def sources_with(source, change):
    """The source with a change that was told, in the place of a statement in its line or of each part of it."""
    tree = ast.parse(source)
    bodies = [b for node in ast.walk(tree) for f in ("body", "orelse") if isinstance(b := getattr(node, f, 0), list)]
    body, at = next((b, at) for b in bodies for at, each in enumerate(b) if each.lineno == change.line)
    statement, new = body[at], ast.parse(change.text).body
    body[at : at + 1] = {"in": new, "after": [statement, *new], "no longer in": [ast.Pass()]}[change.how]
    yield ast.unparse(tree)
    body[at : at + 1 + (change.how == "after")] = [statement]
    for node in ast.walk(statement) if isinstance(new[0], ast.Expr) and change.how == "in" else ():
        for field, value in ast.iter_fields(node):
            parts = value if isinstance(value, list) else [value]
            for place in (place for place, part in enumerate(parts) if isinstance(part, ast.expr)):
                put = [*parts[:place], new[0].value, *parts[place + 1 :]]
                setattr(node, field, put if isinstance(value, list) else put[0])
                yield ast.unparse(tree)
                setattr(node, field, value)


def is_mended(course, source, change):
    """Whether the change makes the gradients right that it should, at other numbers than those that were handed in."""
    loss, parameters, _ = right(course)
    rng = np.random.default_rng(8)
    moved = {name: value + rng.uniform(-0.05, 0.05, np.shape(value)) for name, value in parameters.items()}
    wanted = called(loss, moved)
    for mended in sources_with(source, change):
        try:
            got = called(course_typed(course, mended), moved)
        except Exception:  # the text stands for another part of the statement
            continue
        if all(is_same(got[name], wanted[name]) for name in change.mends):
            return True
    return False


def test_nine_tenths_of_wrong_homework_are_told_what_it_is_and_nothing_false():
    cases, tried, by_numbers, told = [*wrong_homework()], 0, 0, 0
    for course, what, source in cases[:: len(cases) // count(len(cases), 5)]:
        _, parameters, gradients = right(course)
        wrong_loss = course_typed(course, source)
        wrong, found = called(wrong_loss, parameters), diagnose(wrong_loss, parameters)
        off = {name for name in parameters if not is_same(wrong[name], gradients[name])}
        assert {name for name in parameters if found[name].ok is False} == off, (what, found)
        for change in found.changes:
            assert is_mended(course, source, change), (course.__name__, what, found)
        exactly = {n for n in off if is_exact(found[n].sentence, wrong[n], gradients[n], parameters[n])}
        tried, by_numbers = tried + 1, by_numbers + (off <= exactly)
        told += off <= exactly.union(*(change.mends for change in found.changes))
    assert len(ALL) + len(PASSES) >= 40
    print(f"{tried} wrong solutions: {told} told what it is, {by_numbers} of them by numbers alone")  # noqa: T201
    assert told >= 0.9 * tried


def drawn(seed, **shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(-0.5, 0.5, shape) for name, shape in shapes.items()}


def of_a_class(source=CLASS):
    parameters = drawn(0, W1=(4, 6), b1=6, W2=(6, 3), b2=3)
    scope = typed(source, {"np": np, "__name__": "cell", "X": drawn(1, X=(5, 4))["X"], "y": np.array([0, 1, 2, 2, 1])})
    scope["net"] = scope["TwoLayerNet"](parameters, 0.1)
    return scope, parameters


def test_a_class_that_keeps_its_parameters_is_read_through_all_its_functions():
    scope, parameters = of_a_class()
    found = diagnose(scope["loss"], parameters)
    assert "With `da = dh * (a > 0)` in line 25, in `loss`, W1 and b1 are right." in repr(found)
    assert all(np.array_equal(scope["net"].params[name], value) for name, value in parameters.items())


def test_gradients_may_come_from_a_function_of_their_own():
    parameters = drawn(0, W1=(4, 2), b1=(4, 1), W2=(1, 4), b2=(1, 1))
    scope = {"np": np, "__name__": "cell", "X": drawn(1, X=(2, 6))["X"], "Y": np.array([[0, 1, 1, 0, 1, 0]])}
    typed(TWO_FUNCTIONS, scope)
    found = diagnose(scope["loss"], parameters, scope["gradients"])
    mended = "dZ1 = np.dot(p['W2'].T, dZ2) * (1 - A1 ** 2)"
    assert f"With `{mended}` in line 18, in `backward`, W1 and b1 are right." in repr(found)
    typed(TWO_FUNCTIONS.replace("* (1 - A1)", "* (1 - A1**2)"), scope)
    assert diagnose(scope["loss"], parameters, scope["gradients"]).ok is True


WITH_A_HELPER = """
def slope(z):
    return np.exp(-z) / (1 + np.exp(-z))**2


def loss(W1, W2):
    m = X.shape[0]
    z = X @ W1
    a = 1 / (1 + np.exp(-z))
    d2 = a @ W2 - y
    d1 = d2 @ W2.T * slope(z)
    dW1 = X.T @ d1
    dW2 = a.T @ d2 / m
    return np.sum(d2**2) / (2 * m), dW1, dW2
"""


def test_a_factor_that_is_missing_is_put_where_the_gradients_are_made_and_not_into_a_helper():
    rng = np.random.default_rng(0)
    scope = {"np": np, "X": rng.standard_normal((5, 3)), "y": rng.standard_normal((5, 2))}
    parameters = {"W1": rng.standard_normal((3, 4)), "W2": rng.standard_normal((4, 2))}
    (change,) = diagnose(typed(WITH_A_HELPER, scope)["loss"], parameters).changes
    assert (change.function, "/ m" in change.text, change.mends) == ("loss", True, {"W1"})


def test_the_state_of_another_step_in_a_recurrent_loop_is_told():
    parameters = drawn(0, Wxh=(5, 4), Whh=(5, 5), Why=(4, 5))
    scope = typed(GLOBALS, {"np": np, "__name__": "cell"})
    found = diagnose(scope["loss"], parameters)
    assert "With `dWhh += np.outer(dhraw, hs[t - 1])` in line 15, in `loss_and_gradients`, Whh is right." in repr(found)


OF_A_LOOP = {  # what becomes of which part of the right loop, and the change that is told
    "for t in reversed(range(len(inputs))):": ("for t in range(len(inputs)):", ""),
    "Whh.T @ dhraw": ("Whh.T @ dh", "dhnext = Whh.T @ dhraw"),
    "        dy[targets[t]] -= 1\n": ("", "dy[targets[t]] -= 1"),
}


@pytest.mark.parametrize("right", OF_A_LOOP)
def test_a_loop_the_wrong_way_another_gradient_and_a_line_that_is_missing_are_told(right):
    of_gradients = "dh = Why.T @ dy + dhnext\n        dhraw = (1 - hs[t] * hs[t]) * dh"
    source = GLOBALS.replace("dhraw = (1 - hs[t] * hs[t]) * (Why.T @ dy + dhnext)", of_gradients)
    source = source.replace("np.outer(dhraw, hs[t])", "np.outer(dhraw, hs[t - 1])")
    assert right in source
    wrong, change = OF_A_LOOP[right]
    scope = typed(source.replace(right, wrong), {"np": np, "__name__": "cell"})
    found = diagnose(scope["loss"], drawn(0, Wxh=(5, 4), Whh=(5, 5), Why=(4, 5)))
    assert [each.text for each in found.changes] == [right if "reversed" in right else change], found


STEPS = {  # a loop that leaves a step out: the right one
    "reversed(range(1, len(inputs)))": "reversed(range(len(inputs)))",
    "reversed(range(len(inputs) - 1))": "reversed(range(len(inputs)))",
    "range(len(inputs) - 1, 0, -1)": "range(len(inputs) - 1, -1, -1)",
}


@pytest.mark.parametrize("steps", STEPS)
def test_a_loop_that_leaves_its_first_or_last_step_out_is_told(steps):
    source = GLOBALS.replace("np.outer(dhraw, hs[t])", "np.outer(dhraw, hs[t - 1])")
    scope = typed(source.replace("reversed(range(len(inputs)))", steps), {"np": np, "__name__": "cell"})
    found = diagnose(scope["loss"], drawn(0, Wxh=(5, 4), Whh=(5, 5), Why=(4, 5)))
    assert [each.text for each in found.changes] == [f"for t in {STEPS[steps]}:"], found


def test_gradients_that_are_clipped_are_said_to_be():
    def loss(W):
        return np.sum(W**4), {"W": np.clip(4 * W**3, -0.1, 0.1)}

    found = diagnose(loss, {"W": np.linspace(-0.5, 0.4, 10)})
    assert "the numbers are right except 5 that are cut off at 0.1, as by np.clip" in found["W"].sentence


def test_a_learners_functions_and_arrays_are_afterwards_as_they_were_even_if_it_is_interrupted():
    scope, parameters = of_a_class()
    kept, code = {name: scope[name].copy() for name in ("X", "y")}, scope["relu_backward"].__code__
    diagnose(scope["loss"], parameters)
    calls, loss = [], scope["loss"]

    def interrupted(p):
        calls.append(1)
        if len(calls) > 600:
            raise KeyboardInterrupt
        return loss(p)

    with pytest.raises(KeyboardInterrupt):
        diagnose(interrupted, parameters)
    assert scope["relu_backward"].__code__ is code
    assert all(np.array_equal(scope[name], value) and scope[name].flags.writeable for name, value in kept.items())


def test_an_array_that_is_a_part_of_another_can_be_written_into_afterwards():
    source = "def loss(w):\n    return np.sum((X @ w)**2 + D[:, 2:]), {'w': X.T @ (X @ w)}\n"
    D = np.random.default_rng(0).standard_normal((2, 3))
    scope = typed(source, {"np": np, "__name__": "cell", "X": D[:, :2], "D": D})
    assert diagnose(scope["loss"], drawn(0, w=(2, 1))).changes
    assert scope["X"].flags.writeable
    assert D.flags.writeable


def test_each_of_two_lines_with_a_mistake_is_told():
    source = CLASS.replace("(dout > 0)", "(cache > 0)").replace('["W2"] += self.reg', '["W2"] += 2 * self.reg')
    scope, parameters = of_a_class(source.replace('["W1"] += self.reg', '["W1"] -= self.reg'))
    found = diagnose(scope["loss"], parameters)
    assert sorted(sorted(change.mends) for change in found.changes) == [["W1"], ["W2"]], found


@pytest.mark.parametrize("mask", ["dh * h > 0", "dh * 1 * a > 0"])
def test_missing_parentheses_around_a_mask_are_told(mask):
    source = f"""
def loss(p):
    a = X @ p["W"]
    h = np.maximum(a, 0)
    dh = 2 * (h - Y)
    dh = {mask}
    return np.sum((h - Y)**2), {{"W": X.T @ dh}}
"""
    scope = typed(source, {"np": np, "__name__": "cell"} | drawn(1, X=(5, 3), Y=(5, 2)))
    (change,) = diagnose(scope["loss"], drawn(0, W=(3, 2))).changes
    kept, _, name = mask.removesuffix(" > 0").rpartition(" * ")
    assert (change.text, change.line) == (f"dh = {kept} * ({name} > 0)", 6)


def test_that_no_change_of_one_line_helps_is_said_where_lines_were_tried():
    source = "def loss(p):\n    return np.sum(np.exp(p['w'])**3 * X), {'w': np.tanh(X) * np.sin(p['w'])}\n"
    scope = typed(source, {"np": np, "__name__": "cell", "X": np.arange(1.0, 7).reshape(2, 3)})
    found = diagnose(scope["loss"], drawn(0, w=(2, 3)))
    assert (found.changes, found.in_vain) == ([], ["w"])
    said = "No change of a single line that was tried makes w right: more than one may be wrong, or a term is missing."
    assert said in repr(found)
    given = diagnose(scope["loss"], drawn(0, w=(2, 3)), {"w": np.ones((2, 3))})
    assert "No change" not in repr(given), "there are no lines to try"


def test_a_number_of_samples_that_is_missing_in_several_lines_is_told_by_its_name():
    source = """
def loss(p):
    m = X.shape[1]
    dZ = p["W"] @ X + p["b"] + p["c"] * Y
    dW = dZ @ X.T
    db = np.sum(dZ, axis=1, keepdims=True)
    return np.sum(dZ**2) / 2 / m, {"W": dW, "b": db, "c": np.sum(dZ * Y) / m}
"""
    scope = typed(source, {"np": np, "__name__": "cell"} | drawn(1, X=(3, 5), Y=(2, 5)))
    found = diagnose(scope["loss"], drawn(0, W=(2, 3), b=(2, 1)) | {"c": -1.0})
    assert found["c"].ok
    assert "dW = dZ @ X.T / m" in [change.text for change in found.changes], found


def test_a_change_that_is_right_at_these_numbers_alone_is_not_told():
    scope = typed("def loss(W):\n    return np.sum(W**2), {'W': 3 * W}\n", {"np": np, "__name__": "cell"})
    (change,) = diagnose(scope["loss"], {"W": np.full(6, 2.0)}).changes  # where W ** 2 and 2 * W are the same
    assert "W **" not in change.text


def test_source_that_is_no_longer_what_runs_is_not_read():
    scope, parameters = of_a_class()
    file = scope["loss"].__code__.co_filename
    lines = CLASS.replace("(dout > 0)", "(cache > 0)").splitlines(keepends=True)  # mended, and not run since
    linecache.cache[file] = len(CLASS), None, lines, file
    found = diagnose(scope["loss"], parameters)
    assert found.ok is False
    assert not [change for change in found.changes if change.function == "relu_backward"]


def test_what_never_ends_is_not_tried_as_a_factor():
    def loss(W1, W2):
        Xb = np.c_[X, np.ones(len(X))]
        h = np.tanh(Xb @ W1)
        e = h @ W2
        return (e**2).sum(), {"W1": Xb.T @ (2 * e @ W2.T), "W2": 2 * h.T @ e}

    X = np.random.default_rng(0).standard_normal((5, 4))
    W1, W2 = X[:, :3], X[:3, :2]
    assert "With `Xb.T @ (2 * e @ W2.T * (1 - h ** 2))`" in str(diagnose(loss, {"W1": W1, "W2": W2}))


def test_large_arrays_are_not_multiplied_in_every_way_to_find_a_line():
    scope, parameters = of_a_class()
    scope["X"], scope["y"] = drawn(1, X=(2000, 4))["X"], np.zeros(2000, int)
    found = diagnose(scope["loss"], parameters)
    assert (found.ok, found.changes) == (False, [])


REFUSED = {
    "your gradient asks for W, b, and the parameters are W": lambda W, b: W,
    "your gradient stopped with ZeroDivisionError: division by zero. It was given W (2,)": lambda W: 1 / 0,
    "give the gradients as a dictionary, such as {'dW': dW}": lambda W: None,
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_a_function_that_gives_no_gradients_is_refused_with_a_sentence(sentence):
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        diagnose(lambda W: np.sum(W), {"W": np.ones(2)}, REFUSED[sentence])
    assert sentence in str(refused.value)


IN_COLUMNS = """
def forward(X, p):
    Z1 = np.dot(p["W1"], X) + p["b1"]
    A1 = np.tanh(Z1)
    e = np.exp(np.dot(p["W2"], A1))
    return e / e.sum(axis=0), (Z1, A1)


def loss(p):
    A2, (Z1, A1) = forward(X, p)
    dZ2 = A2 - Y
    dW2 = np.dot(dZ2, A1.T)
    dZ1 = np.dot(p["W2"].T, dZ2) * (1 - A1**2)
    dW1 = np.dot(dZ1, X.T)
    db1 = np.sum(dZ1, axis=1, keepdims=True)
    return -np.sum(Y * np.log(A2)), {"W1": dW1, "b1": db1, "W2": dW2}
"""
IN_ROWS = """
def loss(p):
    Z = R @ p["W"]
    d = Z - Z.mean(axis=1, keepdims=True)
    m = Z.shape[1]
    dout = 2 * (d - T) / len(T)
    dZ = dout - dout.sum(axis=1, keepdims=True) / m
    return np.sum((d - T) ** 2) / len(T), {"W": R.T @ dZ}
"""
OF_ONE_SAMPLE = """
def loss(p):
    q = np.exp(p["W"] @ x)
    q /= q.sum()
    dz = q.copy()
    dz[c] -= 1
    return -np.log(q[c]), {"W": np.outer(dz, x)}
"""


@pytest.mark.parametrize(
    ("source", "right", "wrong", "told"),
    [
        (IN_COLUMNS, "A2 - Y", "(A2 - Y) * A2 * (1 - A2)", "dZ2 = A2 - Y"),
        (IN_COLUMNS, "1 - A1**2", "1 - Z1**2", "dZ1 = np.dot(p['W2'].T, dZ2) * (1 - np.tanh(Z1) ** 2)"),
        (IN_COLUMNS, "np.sum(dZ1, axis=1, keepdims=True)", "np.sum(dZ1)", "db1 = np.sum(dZ1, axis=1, keepdims=True)"),
        (OF_ONE_SAMPLE, "dz[c] -= 1", "dz[c] = 1", "dz[c] -= 1"),
        (IN_ROWS, "m = Z.shape[1]", "m = Z.shape[0]", "m = Z.shape[1]"),  # which is Z.shape[0] - 1 by chance
        (IN_ROWS, "2 * (d - T) / len(T)", "2 * (d - T) / T.size", "dout = 2 * (d - T) / len(T)"),  # as 4 / T.size is
    ],
)
def test_a_line_that_is_told_is_one_that_a_learner_would_write(source, right, wrong, told):
    assert right in source
    data = {"X": drawn(1, X=(4, 5))["X"], "Y": np.eye(3)[[0, 1, 2, 2, 1]].T, "x": drawn(2, x=4)["x"], "c": 2}
    scope = typed(source.replace(right, wrong), {"np": np, "__name__": "cell"} | data)
    scope |= drawn(3, R=(3, 5), T=(3, 2))
    shapes = {
        OF_ONE_SAMPLE: {"W": (3, 4)},
        IN_ROWS: {"W": (5, 2)},
        IN_COLUMNS: {"W1": (6, 4), "b1": (6, 1), "W2": (3, 6)},
    }
    found = diagnose(scope["loss"], drawn(0, **shapes[source]))
    assert [change.text.replace('"', "'") for change in found.changes] == [told], found
