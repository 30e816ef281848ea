"""A learner's own lines: right ones are right in every convention, and of wrong ones the first is named."""

import re
import subprocess
import sys

import numpy as np
import pytest
from common import count
from homework import MISTAKES, homework
from known_programs import FORTY, PROGRAMS, programmed

from backprop_lab import (
    EXAMPLES,
    L2,
    Adam,
    BatchNorm,
    BinaryCrossEntropy,
    Dropout,
    GradientDescent,
    HalfSquaredError,
    LeakyReLU,
    Linear,
    MeanSquaredError,
    Momentum,
    Network,
    Problem,
    ReLU,
    Sigmoid,
    SoftmaxCrossEntropy,
    SumSquaredError,
    Tanh,
    check_lines,
    program,
    random_problem,
    trace,
    worked_example,
)
from backprop_lab.feedback.mistakes import MISTAKES as PLANTED
from backprop_lab.step.number_format import plain

SOFTMAX = random_problem(3, 5, 4, 6, 3, loss=SoftmaxCrossEntropy())
MEAN_OF_ALL = random_problem(3, 5, 4, 6, 3, loss=MeanSquaredError())
DEEP_TANH = random_problem(3, 5, 4, 6, 3, loss=SoftmaxCrossEntropy(), activation=Tanh())
COLUMNS = """
m = X.shape[1]
dZ2 = A2 - Y
dW2 = 1/m * np.dot(dZ2, A1.T)
db2 = 1/m * np.sum(dZ2, axis=1, keepdims=True)
dZ1 = np.dot(W2.T, dZ2) * (1 - np.power(A1, 2))
dW1 = 1/m * np.dot(dZ1, X.T)
db1 = 1/m * np.sum(dZ1, axis=1, keepdims=True)
"""
IN_PLACE = """
num_train = X.shape[0]
dscores = probs
dscores[range(num_train), y] -= 1
dscores /= num_train
grads['W2'] = np.dot(hidden_layer.T, dscores)
grads['b2'] = np.sum(dscores, axis=0)
dhidden = np.dot(dscores, W2.T)
dhidden[hidden_layer <= 0] = 0
grads['W1'] = np.dot(X.T, dhidden)
grads['b1'] = np.sum(dhidden, axis=0)
"""
A_FUNCTION = '''
def backward(self, X, cache):
    """The backward pass."""
    Z1, A1, A2 = cache
    W1, b1, W2, b2 = self.params["W1"], self.params["b1"], self.params["W2"], self.params["b2"]
    N, D = X.shape
    delta2 = (A2 - Y) / N
    assert delta2.shape == A2.shape
    delta1 = delta2 @ W2.T * (Z1 > 0)
    return {"dW2": A1.T @ delta2, "db2": delta2.sum(axis=0), "dW1": X.T @ delta1, "db1": delta1.sum(axis=0)}
'''


def test_right_lines_in_every_convention_are_right():
    for seed in range(count(3000, 40)):
        work = homework(seed)
        wanted = [name for name, _ in work.backward if name not in ("m", "N")]
        for text in (work.text, "\n".join([*work.forward[:-1], work.text])):
            found = check_lines(text, work.problem)
            assert found.ok is True, (seed, work.convention, text, found)
            assert found
            assert found.first_wrong is None
            assert len(found.lines) == len(wanted), (seed, text, found)
            assert "transposed" not in repr(found), (seed, text, found)


def test_of_lines_with_a_mistake_only_that_one_is_wrong_and_it_is_named():
    seen = dict.fromkeys(MISTAKES, 0)
    for seed in range(count(400, 40)):
        for mistake in MISTAKES:
            work, good = homework(seed, mistake), homework(seed)
            if not work.wrong:
                continue
            sizes = {n for each in work.parameters.values() for n in each.shape}
            is_doubtful = (
                len(work.problem.X) in sizes or len(work.parameters) == 2
            )  # only forward lines say what is what
            text = "\n".join([*work.forward[:-1] * is_doubtful, work.text])
            found = check_lines(text, work.problem)
            wrong = [line for line in found.lines if line.ok is False]
            if not wrong and same_values(work, good):
                continue  # as a mask of the output of a ReLU in place of its input
            assert found.ok is False, (seed, mistake, text, found)
            assert found.first_wrong is wrong[0]
            assert re.search(rf"\b{work.wrong} = ", wrong[0].text), (seed, mistake, text, found)
            assert len(wrong) == 1, (seed, mistake, text, found)
            seen[mistake] += 1
    assert min(seen.values()) >= count(60, 40), seen


def test_where_all_matrices_are_square_several_lines_say_that_samples_are_columns():
    work = homework(5022, "mean")
    assert {each.shape for each in (work.problem.X, work.problem.parameters["W1"])} == {(3, 3)}
    found = check_lines("\n".join([*work.forward[:-1], work.text]), work.problem)
    assert [line.of for line in found.lines if line.ok is False] == ["db1"], found


def same_values(work, good):
    """Whether a changed line gives the same all the same."""
    one, other = (each.run(each.parameters, [each.text])[work.wrong] for each in (work, good))
    return np.shape(one) == np.shape(other) and np.allclose(one, other)


NUMBERED = IN_PLACE.replace("dhidden", "dh1").replace("hidden_layer", "h1")
PASSES = {
    "columns": (COLUMNS, DEEP_TANH),
    "in place": (IN_PLACE, SOFTMAX),
    "in place, numbered": (NUMBERED, SOFTMAX),
    "a function": (A_FUNCTION, SOFTMAX),
}


@pytest.mark.parametrize(("text", "problem"), PASSES.values(), ids=PASSES)
def test_what_courses_write_is_right(text, problem):
    found = check_lines(text, problem)
    assert found.ok is True, found
    assert {"dW1", "db1", "dW2", "db2", "dy_pred", "dY1"} <= {line.of for line in found.lines}


SAID = [
    (COLUMNS, "A2 - Y", "Y - A2", "dZ2 is minus what it should be"),
    (COLUMNS, "1/m * np.dot(dZ1", "np.dot(dZ1", "dW1 is 5 times what it should be; m is 5"),
    (COLUMNS, "1/m * ", "", "dZ2 is 5 times what it should be; m is 5"),
    (COLUMNS, "np.power(A1, 2)", "np.power(Z1, 2)", "a slope computed from Z1"),
    (COLUMNS, "np.dot(dZ2, A1.T)", "np.dot(dZ2, Z1.T)", "Z1 used where A1 was meant"),
    (
        COLUMNS,
        "np.dot(W2.T, dZ2)",
        "np.dot(W2, dZ2)",
        "these are 6 and 3. It was given A1 (6, 5), W2 (3, 6)",
    ),
    (COLUMNS, "np.dot(W2.T, dZ2)", "np.dot(W2, dZ2)", "dZ2 (3, 5), and dZ1 should have (6, 5)"),
    (COLUMNS, "np.sum(dZ1, axis=1, keepdims=True)", "np.sum(dZ1)", "db1 has shape (), and should have (6, 1)"),
    (COLUMNS, "np.dot(dZ1, X.T)", "np.dot(dZ1, A1.T)", "This looks like A1 used where X was meant"),
    (NUMBERED, "h1 <= 0", "h1 < 0", "a mask that asks whether h1 >= 0"),
    (IN_PLACE, "dscores /= num_train\n", "", "dscores is 5 times what it should be; num_train is 5"),
    (IN_PLACE, "hidden_layer <= 0", "hidden_layer < 0", "a mask that asks whether hidden_layer >= 0"),
    (IN_PLACE, "X.T, dhidden", "hidden_layer.T, dhidden", "hidden_layer used where X was meant"),
    (IN_PLACE, "np.dot(dscores, W2.T)", "np.dot(dscores, W2)", "it stops with ValueError"),
    (A_FUNCTION, "(Z1 > 0)", "(Z1 < 0)", "an inverted mask"),
    (A_FUNCTION, "(A2 - Y) / N", "A2 - Y", "delta2 is 5 times what it should be; N is 5"),
    (A_FUNCTION, "X.T @ delta1", "X.T @ delta1 / N", "dW1 is 1/5 of what it should be; N is 5"),
]


@pytest.mark.parametrize(("text", "right", "wrong", "sentence"), SAID)
def test_the_first_wrong_line_is_named_with_its_mistake_and_none_after_it(text, right, wrong, sentence):
    assert right in text
    found = check_lines(text.replace(right, wrong), DEEP_TANH if text is COLUMNS else SOFTMAX)
    assert found.ok is False
    assert sentence in found.first_wrong.sentence, found
    assert len([line for line in found.lines if line.ok is False]) == 1


def test_lines_that_change_one_value_are_judged_together_and_all_are_named():
    found = check_lines(IN_PLACE, SOFTMAX)
    assert [line.lines for line in found.lines] == [(2, 3, 4), (5,), (6,), (7, 8), (9,), (10,)]
    assert str(found.lines[3]).startswith(
        "lines 7, 8, `dhidden = np.dot(dscores, W2.T); dhidden[hidden_layer <= 0] = 0`: right: dY1"
    )


def test_a_gradient_that_is_used_before_it_is_changed_is_judged_as_it_was_used():
    text = "dout = (probs - y) / len(X)\ndW2 = h.T @ dout\ndh = dout @ W2.T\ndb2 = dout.sum(0)\n"
    text += "dh = dh * (h > 0)\ndW1 = X.T @ dh"
    found = check_lines(text, SOFTMAX)
    assert found.ok is True, found
    assert [line.of for line in found.lines] == ["dy_pred", "dW2", "db2", "dY1", "dW1"]


def test_forward_lines_give_names_to_values_that_no_list_has():
    text = (
        "q = X @ W1 + b1\nr = np.maximum(q, 0)\nds = (probs - y) / 5\ndr = ds @ W2.T\ndq = dr * (q > 0)\ndW1 = X.T @ dq"
    )
    found = check_lines(text, SOFTMAX)
    assert found.ok is True, found
    assert [line.of for line in found.lines] == ["dy_pred", "dH1", "dY1", "dW1"]
    wrong = check_lines(text.replace("q > 0", "q < 0"), SOFTMAX)
    assert "inverted" in wrong.first_wrong.sentence


def test_a_wrong_forward_line_is_named_and_the_backward_lines_are_not_blamed():
    found = check_lines("z1 = X @ W1\na1 = np.maximum(z1, 0)\ndW2 = a1.T @ ((probs - y) / 5)", SOFTMAX)
    assert [(line.of, line.ok) for line in found.lines] == [("Y1", False), ("dW2", True)], found
    assert "without the bias" in found.first_wrong.sentence


@pytest.mark.parametrize("key", ["a b", "a-b", "1", "loss (mean)"])
def test_a_key_may_be_any_text(key):
    lines = f"kept = {{}}\nkept[{key!r}] = f(y)\ndy_pred = 2 * (y_pred - y) + 0 * kept[{key!r}]\n"
    text = f"def f(x):\n    return x / (x.sum() + 1e-8)\n{lines}"
    assert [line.ok for line in check_lines(text, random_problem(1)).lines] == [True]


def test_names_of_the_learners_own_may_be_values_numbers_and_functions():
    text = "e = (p - y) / count\nd1 = e @ W2.T * slope(zeta)\ndW1 = X.T @ d1"
    found = check_lines(text, SOFTMAX, {"zeta": "Y1", "count": 5, "slope": lambda z: z > 0, "d1": "dY1"})
    assert found.ok is True, found
    unknown = check_lines(text, SOFTMAX)
    assert unknown.ok is None
    assert "what is count? Say it, as in names={'count': 'H1'}" in str(unknown)


def test_an_update_is_judged_and_a_weight_that_is_updated_too_early_is_seen():
    problem = worked_example()
    lines = "dout = 2 * (y_pred - y)\ndW2 = h.T @ dout\nW2 -= lr * dW2\ndh = dout @ W2.T\n"
    found = check_lines(lines, problem)
    assert [(line.of, line.ok) for line in found.lines] == [
        ("dy_pred", True),
        ("dW2", True),
        ("W2_new", True),
        ("dH1", False),
    ]
    assert "looks like W2_new used where W2 was meant" in found.first_wrong.sentence
    uphill = check_lines("W2 = W2 + lr * dW2", problem)
    assert "a step uphill" in uphill.first_wrong.sentence


def test_a_penalty_is_part_of_the_line_and_a_momentum_of_the_update():
    text = "dscores = (probs - y) / 5\ndW2 = h.T @ dscores + 2 * 0.1 * W2"
    problem = SOFTMAX.evolve(penalty=L2(0.1))
    assert check_lines(text, problem).ok is True
    assert "without the penalty" in check_lines(text.replace(" + 2 * 0.1 * W2", ""), problem).first_wrong.sentence
    problem = SOFTMAX.evolve(optimizer=Momentum(0.9))
    assert check_lines("v = 0.9 * vW2 + dW2\nW2 -= lr * v", problem).ok is True
    assert check_lines("v = 0.9 * v + dW2\nW2 += -lr * v", problem, {"v": "vW2"}).ok is True, "in a name of one's own"
    wrong = check_lines("vW2 = 0.9 * vW2 + 0.1 * dW2\nW2 -= lr * vW2", problem)
    assert [(line.of, line.ok) for line in wrong.lines] == [("vW2_new", False), ("W2_new", True)]


def test_adam_as_courses_write_it_is_right_and_without_its_correction_wrong():
    problem = trace(SOFTMAX.evolve(optimizer=Adam())).next_problem()
    text = """
    m = 0.9 * m + (1 - 0.9) * dW2
    v = 0.999 * v + (1 - 0.999) * dW2**2
    mt = m / (1 - 0.9**t)
    vt = v / (1 - 0.999**t)
    W2 -= lr * mt / (np.sqrt(vt) + 1e-8)
    """
    names = {"m": "mW2", "v": "vW2", "t": 2}
    found = check_lines(text, problem, names)
    assert found.ok is True, found
    assert {"mW2_new", "vW2_new", "W2_new"} <= {line.of for line in found.lines}
    wrong = check_lines(text.replace("m / (1 - 0.9**t)", "m"), problem, names)
    assert "mhatW2 looks like `mW2_new`: m and v begin at 0" in wrong.first_wrong.sentence
    assert "a mean of squares" in check_lines(text.replace("dW2**2", "dW2"), problem, names).first_wrong.sentence


def test_a_line_of_the_update_is_judged_by_itself():
    adam = SOFTMAX.evolve(optimizer=Adam())
    for right in ("mhatW1 = mW1_new / (1 - 0.9**step)", "vhatb2 = vb2_new / (1 - 0.999**step)"):
        found = check_lines(right, adam)
        assert [(line.of, line.ok) for line in found.lines] == [(right.partition(" ")[0], True)], found
    assert check_lines("mhatW1 = mW1_new / (1 - 0.99**step)", adam).ok is False
    for sign, ok in (("+", True), ("-", False)):
        assert check_lines(f"b1_new = b1 - lr * mhatb1 / (np.sqrt(vhatb1) {sign} 1e-8)", adam).ok is ok
    velocity = check_lines("vW1_new = 0.9 * vW1 - lr * dW1", SOFTMAX.evolve(optimizer=Momentum(0.9)))
    assert "the minus and the rate come with the step" in velocity.first_wrong.sentence, velocity


def test_a_mean_over_all_targets_and_a_sigmoid_at_the_end_are_understood():
    rng = np.random.default_rng(0)
    layers = (
        Linear(rng.standard_normal((3, 4)), np.zeros((1, 4))),
        Sigmoid(),
        Linear(rng.standard_normal((4, 2)), np.zeros((1, 2))),
        Sigmoid(),
    )
    problem = Problem(Network(layers), MeanSquaredError(), rng.standard_normal((5, 3)), rng.random((5, 2)), 0.1)
    text = "dA2 = A2 - Y\ndZ2 = dA2 * A2 * (1 - A2)\ndW2 = A1.T @ dZ2 / 5\ndb2 = dZ2.sum(axis=0) / 5"  # 2 / 10 is 1 / 5
    assert check_lines(text, problem).ok is True
    assert "dA2" in check_lines(text.replace(" / 5", ""), problem).first_wrong.text


def test_a_line_is_shown_as_it_was_typed():
    text = """
    dy_pred = 2*(y_pred-y)   # of the loss
    dH1 = ( dy_pred@W2.T )
    dY1 = (dH1*(H1>0));dW1 = X.T@dY1
    dW2 = (H1.T
           @ dy_pred)
    grads['b2'] = (dy_pred).sum(0)
    """
    found = check_lines(text, worked_example())
    assert [line.text for line in found.lines] == [
        "dy_pred = 2*(y_pred-y)",
        "dH1 = ( dy_pred@W2.T )",
        "dY1 = dH1 * (H1 > 0)",  # two in one line, or one in two, as Python writes it
        "dW1 = X.T @ dY1",
        "dW2 = H1.T @ dy_pred",
        "db2 = dy_pred.sum(0)",
    ]
    assert str(check_lines("dW2 = (H1.T@dy_pred)*2", worked_example())).startswith("line 1, `dW2 = (H1.T@dy_pred)*2`:")


def test_nothing_of_the_problem_and_of_the_text_is_changed_and_the_same_is_said_again():
    before = {name: value.copy() for name, value in SOFTMAX.parameters.items()}
    assert repr(check_lines(IN_PLACE, SOFTMAX)) == repr(check_lines(IN_PLACE, SOFTMAX))
    assert all(np.array_equal(value, before[name]) for name, value in SOFTMAX.parameters.items())


WHOLE_PASS = """
dy_pred = 2 * (y_pred - y)
dW2 = H1.T @ dy_pred
db2 = dy_pred.sum(axis=0)
dY1 = (dy_pred @ W2.T) * (H1 > 0)
dW1 = X.T @ dY1
db1 = dY1.sum(axis=0)
grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
"""
DICTIONARY = "params = {'W1': W1, 'b1': b1, 'W2': W2, 'b2': b2}"
LISTS = "params, gradients = [W1, b1, W2, b2], [dW1, db1, dW2, db2]"
LOOPS = [  # an optimizer, the update as a loop, and the line of it that is wrong
    (GradientDescent(), "for p, g in zip([W1, b1, W2, b2], [dW1, db1, dW2, db2]):\n    p -= lr * g", ""),
    (GradientDescent(), "for p, g in [(W1, dW1), (b1, db1), (W2, dW2), (b2, db2)]:\n    p -= lr * g", ""),
    (
        GradientDescent(),
        "ps = W1, b1, W2, b2\nfor p, g in zip(ps, (dW1, db1, dW2, db2)):\n    p += lr * g",
        "p += lr * g",
    ),
    (GradientDescent(), "for k in params:\n    params[k] -= lr * grads[k]", ""),
    (
        GradientDescent(),
        "for k in grads.keys():\n    params[k] = params[k] + lr * grads[k]",
        "params[k] + lr * grads[k]",
    ),
    (GradientDescent(), "for k, p in params.items():\n    params[k] = p - lr * grads[f'd{k}']", ""),
    (
        GradientDescent(),
        (
            "L = len(parameters) // 2\nfor l in range(L):\n"
            "    parameters['W' + str(l + 1)] -= lr * grads['W' + str(l + 1)]\n"
            "    parameters[f'b{l + 1}'] = parameters[f'b{l + 1}'] + lr * grads[f'b{l + 1}']"
        ),
        "] + lr * grads",
    ),
    (
        GradientDescent(),
        "for l in (1, 2):\n    for k in ('W', 'b'):\n        params[k + str(l)] -= lr * grads[k + str(l)]",
        "",
    ),
    (GradientDescent(), "for k in ('W1', 'b1', 'W2', 'b2'):\n    params[k] -= lr * grads['d' + k]", ""),
    (Momentum(0.9), "for k in params:\n    v[k] = 0.9 * v[k] + grads[k]\n    params[k] -= lr * v[k]", ""),
    (
        Momentum(0.9),
        "for k in params:\n    v[k] = 0.9 * v[k] - grads[k]\n    params[k] -= lr * v[k]",
        "0.9 * v[k] - grads[k]",
    ),
    (
        Adam(),
        (
            "for k in params:\n    m[k] = 0.9 * m[k] + 0.1 * grads[k]\n    v[k] = 0.999 * v[k] + 0.001 * grads[k]**2\n"
            "    mh = m[k] / (1 - 0.9**t)\n    vh = v[k] / (1 - 0.999**t)\n"
            "    params[k] -= lr * mh / (np.sqrt(vh) + 1e-8)"
        ),
        "",
    ),
    (GradientDescent(), "for i, k in enumerate(params):\n    params[k] -= lr * grads[k]", ""),
    (GradientDescent(), f"{DICTIONARY}\nfor p, g in zip(params.values(), grads.values()):\n    p -= lr * g", ""),
    (
        GradientDescent(),
        (
            f"{DICTIONARY}\ngrads = {{'W2': dW2, 'b2': db2, 'W1': dW1, 'b1': db1}}\n"
            "for p, g in zip(params.values(), grads.values()):\n    p -= lr * g"
        ),
        "p -= lr * g",
    ),
    (GradientDescent(), "params = {k: p - lr * grads[k] for k, p in params.items()}", ""),
    (GradientDescent(), "params = {k: params[k] + lr * grads[k] for k in params}", "+ lr"),
    (GradientDescent(), f"{LISTS}\nparams = [p - lr * g for p, g in zip(params, gradients)]", ""),
    (
        GradientDescent(),
        "W1, b1, W2, b2 = [p - g for p, g in zip([W1, b1, W2, b2], [dW1, db1, dW2, db2])]",
        "p - g",
    ),
    (GradientDescent(), f"{LISTS}\nfor i in range(len(params)):\n    params[i] -= lr * gradients[i]", ""),
    (GradientDescent(), f"{LISTS}\nfor i, g in enumerate(gradients):\n    params[i] += lr * g", "+= lr"),
    (
        Momentum(0.9),
        (
            f"{LISTS}\nvs = [np.zeros_like(p) for p in params]\nfor i in range(4):\n"
            "    vs[i] = 0.9 * vs[i] + gradients[i]\n    params[i] -= lr * vs[i]"
        ),
        "",
    ),
    (
        Adam(),
        (
            f"{LISTS}\nms, vs = [np.zeros(p.shape) for p in params], [np.zeros(p.shape) for p in params]\n"
            "for p, g, m, v in zip(params, gradients, ms, vs):\n"
            "    m[:] = 0.9 * m + 0.1 * g\n    v[:] = 0.999 * v + 0.001 * g\n"
            "    p -= lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)"
        ),
        "v[:] =",
    ),
]


@pytest.mark.parametrize(("optimizer", "loop", "wrong"), LOOPS)
def test_an_update_written_as_a_loop_is_judged_turn_by_turn(optimizer, loop, wrong):
    problem = random_problem(3, samples=4, inputs=3, hidden=5, outputs=2, lr=0.1, optimizer=optimizer)
    found = check_lines(WHOLE_PASS + loop, trace(problem).next_problem())
    turns = [each for each in found.lines if each.lines[0] >= 8]
    text = (WHOLE_PASS + loop).split("\n")
    assert {each.of for each in turns} >= {"W1_new", "b1_new", "W2_new", "b2_new"}, found
    assert all(each.ok for each in found.lines if each.lines[0] < 8)
    at = {each.lines[0] for each in turns if not each.ok}
    assert at == ({next(k for k, line in enumerate(text) if wrong in line)} if wrong else set()), found
    assert all(each.ok is False for each in turns if each.lines[0] in at)


IN_A_LOOP = """
learning_rate = 1e-6
for t in range(500):
    # Forward pass: compute predicted y
    h = x.dot(w1)
    h_relu = np.maximum(h, 0)
    y_pred = h_relu.dot(w2)

    # Compute and print loss
    loss = np.square(y_pred - y).sum()
    losses.append(loss.item() / 2)
    if t % 100 == 99:
        print(t, loss)

    # Backprop to compute gradients of w1 and w2 with respect to loss
    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h_relu.T.dot(grad_y_pred)
    grad_h_relu = grad_y_pred.dot(w2.T)
    grad_h = grad_h_relu.copy()
    grad_h[h < 0] = 0
    grad_w1 = x.T.dot(grad_h)

    # Update weights
    w1 -= learning_rate * grad_w1
    w2 -= learning_rate * grad_w2
"""  # after https://docs.pytorch.org/tutorials/beginner/pytorch_with_examples.html


def test_of_a_training_loop_one_turn_is_judged_and_what_it_prints_is_passed_over():
    layers = Linear(np.linspace(-2, 2, 12).reshape(3, 4)), ReLU(), Linear(np.linspace(1, -1, 8).reshape(4, 2))
    data = np.random.default_rng(0).standard_normal((5, 3)), np.ones((5, 2))
    problem = Problem(Network(layers), SumSquaredError(), *data, 1e-6)
    found = check_lines(IN_A_LOOP, problem)
    assert found.ok
    assert len(found.lines) == 7, found
    for right, wrong, blamed in [
        ("2.0 * (y", "(y", "grad_y_pred ="),
        ("h_relu.T.dot", "h.T.dot", "grad_w2 ="),
        ("grad_h[h < 0] = 0", "", "grad_w1 ="),
        ("w2 -=", "w2 +=", "w2 +="),
    ]:
        found = check_lines(IN_A_LOOP.replace(right, wrong), problem)
        assert found.first_wrong.text.startswith(blamed), found


ELEVEN_LINES = """
X = np.array([ [0,0,1],[0,1,1],[1,0,1],[1,1,1] ])
y = np.array([[0,1,1,0]]).T
np.random.seed(1)
syn0 = 2*np.random.random((3,4)) - 1
syn1 = 2*np.random.random((4,1)) - 1
for j in xrange(60000):
    l1 = 1/(1+np.exp(-(np.dot(X,syn0))))
    l2 = 1/(1+np.exp(-(np.dot(l1,syn1))))
    l2_delta = (y - l2)*(l2*(1-l2))
    l1_delta = l2_delta.dot(syn1.T) * (l1 * (1-l1))
    syn1 += l1.T.dot(l2_delta)
    syn0 += X.T.dot(l1_delta)
"""  # of https://iamtrask.github.io/2015/07/12/basic-python-network/
FROM_NOTHING = """
rng = np.random.default_rng(0)
lr = 1e-2
params = {}
params['W1'] = rng.normal(size=(3, 5)) * np.sqrt(2 / 3)
params['b1'] = np.zeros((1, 5))
params['W2'] = rng.normal(size=(5, 2))
params['b2'] = np.zeros((1, 2))
grads = {}
for it in range(100):
    A = np.maximum(X @ params['W1'] + params['b1'], 0)
    out = A @ params['W2'] + params['b2']
    d = 2 * (out - y)
    grads['W2'] = A.T @ d
    grads['b2'] = d.sum(0, keepdims=True)
    dA = d @ params['W2'].T
    dA[A <= 0] = 0
    grads['W1'] = X.T @ dA
    grads['b1'] = dA.sum(0, keepdims=True)
    for k in params:
        params[k] -= lr * grads[k]
"""


IN_FUNCTIONS = """
def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def initialize_parameters(n_x, n_h, n_y):
    np.random.seed(2)
    W1 = np.random.randn(n_h, n_x) * 0.01
    b1 = np.zeros((n_h, 1))
    W2 = np.random.randn(n_y, n_h) * 0.01
    b2 = np.zeros((n_y, 1))
    parameters = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    return parameters

def forward_propagation(X, parameters):
    Z1 = np.dot(parameters["W1"], X) + parameters["b1"]
    A1 = np.tanh(Z1)
    Z2 = np.dot(parameters["W2"], A1) + parameters["b2"]
    A2 = sigmoid(Z2)
    cache = {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}
    return A2, cache

def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    dZ2 = cache["A2"] - Y
    dW2 = (1 / m) * np.dot(dZ2, cache["A1"].T)
    db2 = (1 / m) * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.dot(parameters["W2"].T, dZ2) * (1 - np.power(cache["A1"], 2))
    dW1 = (1 / m) * np.dot(dZ1, X.T)
    db1 = (1 / m) * np.sum(dZ1, axis=1, keepdims=True)
    grads = {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
    return grads

def update_parameters(parameters, grads, learning_rate=1.2):
    L = len(parameters) // 2
    for l in range(L):
        parameters["W" + str(l + 1)] = parameters["W" + str(l + 1)] - learning_rate * grads["dW" + str(l + 1)]
        parameters["b" + str(l + 1)] = parameters["b" + str(l + 1)] - learning_rate * grads["db" + str(l + 1)]
    return parameters

def nn_model(X, Y, n_h, num_iterations=10000, print_cost=False):
    parameters = initialize_parameters(2, 4, 1)
    for i in range(0, num_iterations):
        A2, cache = forward_propagation(X, parameters)
        grads = backward_propagation(parameters, cache, X, Y)
        parameters = update_parameters(parameters, grads)
        if print_cost and i % 1000 == 0:
            print("Cost after iteration %i: %f" % (i, cost))
    return parameters
"""  # as in the second weeks of many courses, with samples as columns


def test_a_script_in_functions_is_judged_in_them_and_not_where_they_are_called():
    rng = np.random.default_rng(1)
    drawn = rng.standard_normal
    layers = Linear(drawn((2, 4)), drawn((1, 4))), Tanh(), Linear(drawn((4, 1)), drawn((1, 1))), Sigmoid()
    y = (rng.random((6, 1)) > 0.5) * 1.0
    problem = Problem(Network(layers), BinaryCrossEntropy(), rng.standard_normal((6, 2)), y, 1.2)
    found = check_lines(IN_FUNCTIONS, problem)
    assert found.ok, found
    assert len(found.lines) == 10
    wrong = check_lines(IN_FUNCTIONS.replace("1 - np.power", "np.power"), problem)
    assert wrong.first_wrong.text.startswith("dZ1 =")


def test_a_script_is_judged_as_it_stands_with_the_numbers_of_the_problem_in_place_of_its_own():
    rng = np.random.default_rng(1)
    data = [[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]], [[0.0], [1], [1], [0]]
    layers = Linear(rng.standard_normal((3, 4))), Sigmoid(), Linear(rng.standard_normal((4, 1))), Sigmoid()
    eleven = Problem(Network(layers), HalfSquaredError(), *data, 1.0)
    other = random_problem(3, samples=4, inputs=3, hidden=5, outputs=2, lr=0.1)
    names = {"syn0": "W1", "syn1": "W2"}
    for text, problem, own in ((ELEVEN_LINES, eleven, names), (FROM_NOTHING, other, {})):
        found = check_lines(text, problem, own)
        assert found.ok, found
        assert {each.of for each in found.lines} >= {f"{name}_new" for name in problem.parameters}
    wrong = check_lines(ELEVEN_LINES.replace("* (l1 * (1-l1))", "* (1-l1)"), eleven, names)
    assert wrong.first_wrong.text.startswith("l1_delta")
    wrong = check_lines(FROM_NOTHING.replace("dA[A <= 0] = 0", "dA[d <= 0] = 0"), other)
    assert not wrong.ok


WRAPPED = [  # what may stand around one turn of training, of which {} are the lines
    "for epoch in tqdm(range(epochs)):\n{}",
    "for epoch in range(100):\n    np.random.shuffle(order)\n{}    lr *= 0.99\n",
    "while True:\n{}    if loss < 1e-3:\n        break\n",
    "losses = []\nfor _ in range(100):\n{}    losses.append(np.sum((out - y) ** 2))\nplt.plot(losses)\nplt.show()\n",
    "for t in range(100):\n{}    if t % 10 == 0:\n        history.append(loss)\n        print(t, loss)\n",
    "def train(X, y, epochs=100, lr=0.1):\n  for epoch in range(epochs):\n{}  return W1, b1, W2, b2\ntrain(X, y)\n",
    "class Net:\n  def fit(self):\n    for _ in range(9):\n      self.go()\n  def go(self):\n{}n = Net()\nn.fit()\n",
]


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_training_is_judged_whatever_stands_around_it(wrapping):
    problem = random_problem(3, samples=4, inputs=3, hidden=5, outputs=2, lr=0.1)
    forward = "Z1 = X @ W1 + b1\nA1 = np.maximum(0, Z1)\nout = A1 @ W2 + b2\ndout = 2 * (out - y)\ndW2 = A1.T @ dout\n"
    backward = "db2 = dout.sum(0)\ndA1 = dout @ W2.T\ndZ1 = dA1 * (Z1 > 0)\ndW1 = X.T @ dZ1\ndb1 = dZ1.sum(0)\n"
    update = "W1 -= lr * dW1\nb1 -= lr * db1\nW2 -= lr * dW2\nb2 -= lr * db2\n"
    turn = "".join(f"    {line}\n" for line in (forward + backward + update).splitlines())
    found = check_lines(wrapping.format(turn), problem)
    assert found.ok, found
    assert len(found.lines) == 11
    assert check_lines(wrapping.format(turn.replace("Z1 > 0", "dA1 > 0")), problem).first_wrong.of == "dY1"


def test_a_loop_that_adds_up_is_no_training_loop_and_no_loop_of_many_turns_is_written_out():
    for text in (
        "for n in range(10**8):\n    grads['W' + str(n)] = X",
        "for x in X:\n    dW1 += x",
        "for _ in range(999):\n    X = np.tanh(X @ W1 @ W1.T)",
        "for _ in range(999):\n    dW1 += X.T @ dY1",
    ):
        with pytest.raises(ValueError, match="is a for"):
            check_lines(text, SOFTMAX)
    of_a_helper = "def f(x):\n    for _ in range(n):\n        x = x - g(x)\n    return x\ndW1 = f(X.T @ dY1)"
    with pytest.raises(ValueError, match="has a for in it"):
        check_lines(of_a_helper, SOFTMAX)


ADAM_STEP = """
for k in params:
    m[k] = 0.9 * m[k] + 0.1 * grads[k]
    v[k] = 0.999 * v[k] + 0.001 * grads[k]**2
    mh = m[k] / (1 - 0.9**t)
    vh = v[k] / (1 - 0.999**t)
    params[k] -= lr * mh / (np.sqrt(vh) + 1e-8)
"""


@pytest.mark.parametrize(
    ("counting", "power", "ok"),
    [
        ("t += 1\n", "t", True),
        ("t = 0\nfor epoch in range(100):\n    t += 1\n", "t", True),
        ("t = 0\nwhile t < 100:\n    t = t + 1\n", "t", True),
        ("for t in range(1, 101):\n", "t", True),
        ("for t in range(100):\n", "(t + 1)", True),
        ("for t in range(100):\n", "t", False),  # which divides by 0 in the first
        ("for t in range(1, 101):\n", "(t + 1)", False),
        ("t = 1\nfor epoch in range(100):\n    t += 1\n", "t", False),
        ("t = 1\nfor epoch in range(100):\n    t += 1\n", "(t - 1)", True),
    ],
)
def test_adams_steps_are_counted_as_python_counts_them(counting, power, ok):
    problem = random_problem(3, samples=4, inputs=3, hidden=5, outputs=2, lr=0.1, optimizer=Adam())
    turn = (WHOLE_PASS + ADAM_STEP).replace("**t", f"**{power}")
    indented = "".join(f"    {line}\n" if line else "" for line in turn.splitlines()) if ":" in counting else turn
    assert check_lines(counting + indented, trace(problem).next_problem()).ok is ok


@pytest.mark.parametrize(("begins", "ok"), [(0, False), (1, True)])
def test_a_step_that_is_counted_after_its_update_is_numbered_from_where_it_began(begins, ok):
    problem = random_problem(3, samples=4, inputs=3, hidden=5, outputs=2, lr=0.1, optimizer=Adam())
    turn = "".join(f"    {line}\n" for line in (WHOLE_PASS + ADAM_STEP).splitlines() if line)
    text = f"t = {begins}\nwhile t < 100:\n{turn}    t += 1\n"
    assert check_lines(text, problem).ok is check_lines(text, trace(problem).next_problem()).ok is ok


@pytest.mark.parametrize("counting", ["t += 1", "self.t = self.t + 1"])
def test_a_step_that_is_counted_for_each_parameter_is_told_to_be_counted_once(counting):
    name = counting.split()[0]
    text = ADAM_STEP.replace("**t", f"**{name}").replace("    m[k]", f"    {counting}\n    m[k]", 1)
    with pytest.raises(ValueError, match=r"is inside the loop, so that t grows .* belongs before the loop"):
        check_lines(WHOLE_PASS + text, random_problem(3, 4, 3, 5, 2, optimizer=Adam()))


def test_a_mask_that_is_drawn_anew_on_the_way_back_is_told_to_be_kept():
    anew = "dH1 = dD1 * (np.random.rand(*dD1.shape) < 0.5) / 0.5"
    layers = (
        Linear(np.ones((4, 3)), np.ones((1, 3))),
        ReLU(),
        Dropout(0.5, 1),
        Linear(np.ones((3, 2)), np.zeros((1, 2))),
    )
    problem = Problem(Network(layers), SumSquaredError(), np.eye(5, 4), np.ones((5, 2)), 0.1)
    with pytest.raises(ValueError, match=r"line 2, `dH1 = \.\.\.`, draws a mask anew: .* use that mask"):
        check_lines(f"dD1 = dy_pred @ W2.T\n{anew}\ndY1 = dH1 * (H1 > 0)", problem)


@pytest.mark.parametrize("schedule", ["lr = lr * 0.9", "lr *= 0.9", "lr /= 2", "lr = 0.1 / (1 + 0.01 * epoch)"])
def test_a_schedule_of_the_rate_is_none_of_the_problems_and_a_rate_below_0_is_uphill(schedule):
    problem = random_problem(1, 5, 4, 3, 2)
    assert check_lines(f"{schedule}\nW1 -= lr * dW1", problem).ok
    assert "uphill" in check_lines("lr = -lr\nW1 -= lr * dW1", problem).first_wrong.sentence


def test_a_loop_that_gives_its_own_name_another_array_is_told_to_change_nothing():
    with pytest.raises(ValueError, match="`p = p - lr \\* g`, makes a new array for p, and W1 stays as it is: `-=`"):
        check_lines("for p, g in [(W1, dW1)]:\n    p = p - lr * g", SOFTMAX)


def test_gradients_that_are_clipped_are_said_to_be_cut_off():
    clipped = WHOLE_PASS + "for d in [dW1, dW2]:\n    np.clip(d, -5, 5, out=d)"
    found = check_lines(clipped, random_problem(3, samples=4, inputs=3, hidden=5, outputs=2))
    assert len(re.findall("The numbers are right except . that are cut off at 5, as by np.clip", str(found))) == 2
    small = random_problem(3, X=np.full((4, 3), 0.01), y=np.zeros((4, 2)), hidden=5)
    found = check_lines(clipped.replace("5, 5", "9, 9"), small)
    assert "dW1 is right with these numbers, but not with others, of which np.clip cuts some off" in str(found), found


def test_objects_of_a_class_are_not_followed_and_diagnose_is_named():
    found = check_lines("layer = Linear(W1, b1)\ndW1 = layer.backward(dY1)", SOFTMAX)
    assert found.ok is None
    assert "Linear is a class, and only lines are followed here; diagnose runs any code" in str(found)


A_LAST = """
d = 2 * (a - y)
dW2 = h.T @ d
db2 = d.sum(axis=0)
dh = d @ W2.T
dh[h <= 0] = 0
dW1 = X.T @ dh
db1 = dh.sum(axis=0)
"""


@pytest.mark.parametrize("hidden", ["h", "H", "a1", "A1", "hidden"])
@pytest.mark.parametrize("last", ["a", "A"])
def test_an_a_beside_another_name_for_what_is_hidden_is_what_comes_out_of_the_network(last, hidden):
    text = re.sub(r"\bh\b", hidden, re.sub(r"\ba\b", last, A_LAST))
    found = check_lines(text, random_problem(1, samples=5))
    assert found.ok, found
    assert [line.of for line in found.lines][:2] == ["dy_pred", "dW2"]
    wrong = check_lines(text.replace("2 * (", "("), random_problem(1, samples=5))
    assert "half" in wrong.first_wrong.sentence or "2 is missing" in wrong.first_wrong.sentence, wrong


REFUSED = {
    "line 2, `dW1 = X.T @@ dZ1`, is not Python": "dZ1 = 1\ndW1 = X.T @@ dZ1",
    "line 1, `for k in range(2):`, is a for: only lines such as `dW1 = X.T @ dZ1` are followed": (
        "for k in range(2):\n    dW1 = k"
    ),
    "write out what it does, layer by layer; diagnose runs any code, given your loss as a function": (
        "for x, g in zip(xs, dY1):\n    dW1 = np.outer(x, g)"
    ),
    "line 1, `for n in range(2):`, is a for": "for n in range(2):\n    dW1 = np.outer(X[n], dY1[n])",
    "line 1, `for k in params:`, is a for": "for k in params:\n    dW1 = norm(k)",
    "line 1, `if True:`, is an if": "if True:\n    dW1 = 1",
    "line 1 uses .__class__, which is not followed here": "dW1 = X.__class__",
    "line 1 has 9 ** 9 ** 9 in it, a number with too many digits": "dW1 = 9**9**9 * X",
    "line 1 uses .save, which is not followed here": "dW1 = np.save('x', X)",
    "line 1 has a lambda in it": "dW1 = (lambda: X)()",
    "line 1, `np.copyto()`, gives its result no name": "np.copyto()",
    "line 1 has a list comprehension in it, which is not followed here: write its turns": "dW1 = [x for x in X]",
    "line 1: `f(X)[0]` cannot be written to here": "f(X)[0] = 1",
}


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_is_more_than_plain_lines_is_refused_and_the_line_is_named(sentence):
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        check_lines(REFUSED[sentence], SOFTMAX)
    assert sentence in str(refused.value)


def test_what_is_no_text_no_problem_or_no_name_is_refused():
    with pytest.raises(ValueError, match="the lines are text, in quotes; got an int"):
        check_lines(3, SOFTMAX)
    with pytest.raises(ValueError, match="this takes a Problem"):
        check_lines("dW1 = 1", "SOFTMAX")
    with pytest.raises(ValueError, match="there is no 'H7' in this problem; there are X, y, W1"):
        check_lines("dW1 = 1", SOFTMAX, {"A1": "H7"})


def test_numbers_of_the_problem_in_place_of_their_name_are_refused_with_the_name():
    labels = SOFTMAX.y.argmax(axis=1)
    for name, numbers, meant in [
        ("y", labels, "y"),
        ("of", [*labels], "y"),
        ("q", SOFTMAX.X.T, "X"),
        ("A1", [1], "H1"),
    ]:
        with pytest.raises(ValueError, match="tried with others too") as refused:
            check_lines(IN_PLACE, SOFTMAX, {name: numbers})
        assert f"names={{{name!r}: {meant!r}}}" in str(refused.value)
    with pytest.raises(ValueError, match="names is a dictionary"):
        check_lines(IN_PLACE, SOFTMAX, "y")
    assert check_lines(IN_PLACE, SOFTMAX, {"eye": np.eye(3), "t": 2}).ok is True


BEFORE = "dZ2 = 2 * (y_pred - y)\ndH = dZ2 @ W2.T\ndZ1 = dH * (Y1 > 0)\n"
COLLECTED = [
    "grads = {'W2': H1.T @ dZ2, 'b2': dZ2.sum(0)}\ngrads['W1'] = X.T @ dZ1\ngrads['b1'] = dZ1.sum(0)",
    "gradients = dict(W2=H1.T @ dZ2, b2=dZ2.sum(0), dW1=X.T @ dZ1, db1=dZ1.sum(0))",
    "grads = {}\ngrads.update(W2=H1.T @ dZ2, b2=dZ2.sum(0))\ngrads.update({'dW1': X.T @ dZ1, 'db1': dZ1.sum(0)})",
    "g = dict(W2=H1.T @ dZ2, b2=dZ2.sum(0))\ng.update(W1=X.T @ dZ1, b1=dZ1.sum(0))",
    "g = {}\ng.update({'W2': H1.T @ dZ2}, b2=dZ2.sum(0))\ng.update(W1=X.T @ dZ1, b1=dZ1.sum(0))",
    "dW1: np.ndarray = X.T @ dZ1\ndb1: np.ndarray\ndb1 = dZ1.sum(0)\nreturn {'W2': H1.T @ dZ2, 'b2': dZ2.sum(0)}",
    "return X.T @ dZ1, dZ1.sum(0), H1.T @ dZ2, dZ2.sum(0)",
]


@pytest.mark.parametrize("text", COLLECTED)
def test_gradients_that_are_collected_by_the_name_of_their_parameter_or_returned_are_judged(text):
    problem = random_problem(3, samples=4)
    checked = check_lines(BEFORE + text, problem)
    assert checked.ok is True, str(checked)
    assert {f"d{name}" for name in problem.parameters} <= {line.of for line in checked.lines}
    wrong = check_lines(BEFORE + text.replace("X.T @ dZ1", "X.T @ dH"), problem)
    named = [line.of for line in wrong.lines if line.ok is False]
    assert (named, wrong.missing) == (([], ("dW1",)) if text.startswith("return X") else (["dW1"], ())), str(wrong)


def test_lines_that_give_no_gradient_are_not_judged():
    found = check_lines("m = len(X)\nmask = H1 > 0", SOFTMAX)
    assert (found.ok, found.lines, found.first_wrong) == (None, (), None)
    assert repr(found).startswith("no line gives a gradient of this problem: it is seen by its name")
    assert not found


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("line", "ok", "sentence"),
    [
        ("dW1 = None", None, "cannot be told: it gives None, and no array of numbers"),
        ("dW1 = (X.T @ dY1).tolist()", None, "cannot be told: it gives a list, and no array of numbers"),
        ("dW1 = 'X.T @ dY1'", None, "cannot be told: it gives a str, and no array of numbers"),
        ("dW1 = np.array(['a'])", None, "cannot be told: it gives an array of <U1, and no array of numbers"),
        ("dW1 = None\ndW1 = X.T @ dY1", True, "right: dW1"),
        (
            "dW1 = 2(X.T @ dY1)",
            False,
            "wrong: it stops with TypeError: a number or an array followed by parentheses is called like a function",
        ),
    ],
)
def test_a_gradient_that_is_no_array_of_numbers_is_not_passed_over(line, ok, sentence):
    found = check_lines(f"dY1 = dH1 * (H1 > 0)\n{line}", random_problem(1))
    assert (found.ok, found.lines[-1].ok) == (ok, ok)
    assert found.lines[-1].sentence.startswith(sentence)


def test_a_single_layer_needs_no_numbers():
    problem = Problem(
        Network((Linear(np.ones((3, 2)), np.zeros((1, 2))),)),
        SoftmaxCrossEntropy(),
        np.eye(3),
        np.eye(2)[[0, 1, 1]],
        0.1,
    )
    text = "scores = X @ W + b\ndscores = (probs - y) / 3\ndW = X.T @ dscores\ndb = dscores.sum(axis=0)"
    assert check_lines(text, problem).ok is True
    assert "dW" in check_lines(text.replace("X.T", "2 * X.T"), problem).first_wrong.text


def test_a_relu_that_is_dead_for_all_samples_still_shows_a_wrong_mask():
    dead = Linear(np.zeros((3, 2)), np.full((1, 2), -1.0)), ReLU(), Linear(np.ones((2, 2)), np.zeros((1, 2)))
    problem = Problem(Network(dead), SoftmaxCrossEntropy(), np.eye(3), np.eye(2)[[0, 1, 1]], 0.1)
    text = "dscores = (probs - y) / 3\ndh = dscores @ W2.T\ndz1 = dh * (h {} 0)\ndW1 = X.T @ dz1"
    assert check_lines(text.format(">"), problem).ok is True
    assert check_lines(text.format(">="), problem).first_wrong.of == "dY1"


def test_a_mask_that_changes_nothing_in_this_problem_is_right():
    on = [Linear(np.ones(shape), np.ones((1, shape[1]))) for shape in ((3, 4), (4, 5), (5, 2))]
    network = Network([on[0], ReLU(), on[1], ReLU(), on[2]])
    problem = Problem(network, SoftmaxCrossEntropy(), np.eye(3), np.eye(2)[[0, 1, 1]], 0.1)
    text = "dscores = (probs - y) / 3\ndh2 = dscores @ W3.T\ndh2[h2 <= 0] = 0\ndW2 = h1.T @ dh2"
    assert check_lines(text, problem).ok is True


ONE_NUMBER = program("z = w * x + b\na = np.maximum(z, 0)\nL = (a - y)**2", {"w": 1.5, "b": 0.3}, {"x": 0.7, "y": 0.2})
ONE_UNIT = random_problem(0, samples=1, hidden=1)


@pytest.mark.parametrize(
    ("problem", "lines", "out"), [(ONE_NUMBER, "da = 2 * (a - y)\ndz = da", "a"), (ONE_UNIT, "dY1 = dH1", "H1")]
)
def test_a_single_number_that_gets_through_shows_a_mask_that_is_missing_too(problem, lines, out):
    assert trace(problem)[out] > 0
    assert "mask" in check_lines(lines, problem).first_wrong.sentence
    assert check_lines(f"{lines} * ({out} > 0)", problem).ok


RECURRENT = """
dp1, dp2, dp3 = 2 * (p1 - y1), 2 * (p2 - y2), 2 * (p3 - y3)
dWy = h1.T @ dp1 + h2.T @ dp2 + h3.T @ dp3
dh3 = dp3 @ Wy.T
da3 = dh3 * (1 - h3**2)
dh2 = dp2 @ Wy.T + da3 @ Wh.T
da2 = dh2 * (1 - h2**2)
dh1 = dp1 @ Wy.T + da2 @ Wh.T
da1 = dh1 * (1 - h1**2)
dWx = x1.T @ da1 + x2.T @ da2 + x3.T @ da3
dWh = h0.T @ da1 + h1.T @ da2 + h2.T @ da3
db = (da1 + da2 + da3).sum(axis=0)
"""
OF_RECURRENT = [  # what becomes of which line, and what is said of it
    (
        "h0.T @ da1 + h1.T @ da2 + h2.T @ da3",
        "h1.T @ da1 + h2.T @ da2 + h3.T @ da3",
        "one step later than it should be",
    ),
    ("h1.T @ dp1 + h2.T @ dp2 + h3.T @ dp3", "h0.T @ dp1 + h1.T @ dp2 + h2.T @ dp3", "one step earlier"),
    (
        "h0.T @ da1 + h1.T @ da2 + h2.T @ da3",
        "h0.T @ dh1 + h1.T @ dh2 + h2.T @ dh3",
        "dh3, dh2 and dh1 in place of da3",
    ),
    ("(da1 + da2 + da3)", "(dh1 + dh2 + dh3)", "without going back through all that lies between"),
    (
        "h0.T @ da1 + h1.T @ da2 + h2.T @ da3",
        "h2.T @ da3",
        "several paths, and without `h1.mT @ da2` and `h0.mT @ da1` not all",
    ),
    ("dp2 @ Wy.T + da3 @ Wh.T", "dp2 @ Wy.T", "h2 affects the loss along several paths"),
    ("dh2 * (1 - h2**2)", "dh2", "the slope of the function that gives h2 is missing"),
    ("da2 @ Wh.T", "da2 @ Wh", "in which a transpose is missing"),
]


def test_lines_of_a_program_such_as_a_recurrent_net_are_judged_too():
    problem = EXAMPLES["rnn"]()
    found = check_lines(RECURRENT, problem)
    assert found.ok is True, found
    assert [line.of for line in found.lines][-4:] == ["da1", "dWx", "dWh", "db"]
    of_paths = RECURRENT.replace("dh2 =", "dnext = da3 @ Wh.T\ndh2 =").replace("+ da3 @ Wh.T", "+ dnext")
    of_paths = of_paths.replace("dh1 =", "dnext = da2 @ Wh.T\ndh1 =").replace("+ da2 @ Wh.T", "+ dnext")
    assert check_lines(of_paths, problem).ok is True, check_lines(of_paths, problem)
    wrong = check_lines(of_paths.replace("dnext = da2", "dnext = dh2"), problem)
    assert [line.of for line in wrong.lines if not line.ok] == ["dh1"]
    assert "dh2 in place of da2" in wrong.first_wrong.sentence


def test_a_line_may_be_the_first_of_all_to_use_a_method_that_numpy_imports_late():
    asked = "dby = 2 * (dp1 + dp2 + dp3).mean(axis=0, keepdims=True)"
    code = f"from backprop_lab import EXAMPLES, check_lines; print(check_lines({asked!r}, EXAMPLES['rnn']()))"
    said = subprocess.check_output([sys.executable, "-c", code], text=True, encoding="utf-8")
    assert said.endswith("right: dby\nno line was found for dWy, dWx, dWh and db\n"), said


TRANSPOSED = "dWx = x1 @ da1.T + x2 @ da2.T + x3 @ da3.T"


def test_where_rows_and_columns_explain_as_many_lines_it_is_rows_and_the_right_line_is_not_blamed():
    text = f"dp1 = 2 * (p1 - y1)\ndby = (dp3 + dp2 + dp1).sum(axis=0, keepdims=True)\n{TRANSPOSED}"
    found = check_lines(text, EXAMPLES["rnn"]())
    assert [(line.of, line.ok) for line in found.lines] == [("dp1", True), ("dby", True), ("dWx", False)], found


def test_a_rate_of_ones_own_is_told_and_which_gradients_no_line_gives():
    """With 10 numbers in y, a rate of 0.1 in place of 0.01 is also the right one times how many these are."""
    problem = random_problem(0, samples=5, lr=0.01)
    checked = check_lines("dW2 = H1.T @ dy_pred\nW2 = W2 - 0.1 * dW2\nb2 -= 0.01 * dy_pred.sum(axis=0)", problem)
    assert "that of a rate of 0.1, and here lr is 0.01" in str(checked.first_wrong)
    assert checked.missing == ("dW1", "db1")
    assert str(checked).endswith("no line was found for dW1 and db1")
    assert not check_lines("y_pred = H1 @ W2 + b2", problem).missing, "they are of the forward pass"


def test_a_factor_that_is_a_number_of_the_right_line_is_told_with_it():
    problem = EXAMPLES["attention"]()
    lines = {step.name: step.code for step in trace(problem).steps if step.role == "gradient"}
    assert lines["dS"] == "dZ / np.sqrt(Q.shape[1])"
    text = "\n".join(f"{name} = {line}" for name, line in (lines | {"dS": "dZ"}).items())
    (wrong,) = [line for line in check_lines(text, problem).lines if not line.ok]
    root = plain(np.sqrt(problem.parameters["Wq"].shape[1]))
    assert wrong.sentence == f"wrong: dS is {root} times what it should be; np.sqrt(Q.shape[1]) is {root}"


def test_where_nothing_explains_a_wrong_line_the_first_number_that_differs_is_told():
    problem = random_problem(3, samples=4)
    checked = check_lines("dW2 = (H1.T @ dy_pred) ** 2 + X[0, 0]", problem)
    right = trace(problem)["dW2"][0, 0]
    (line,) = checked.lines
    assert line.ok is False
    yours = plain(right**2 + problem.X[0, 0])
    assert line.sentence == f"wrong: dW2[0, 0] should be {plain(right)}, and is {yours}; all 8 numbers differ"


def test_of_a_line_that_is_right_only_with_samples_as_columns_it_is_said():
    alone = check_lines(TRANSPOSED, EXAMPLES["rnn"]())
    assert alone.lines[0].sentence == "right: dWx, with samples as columns"
    program = check_lines(f"{TRANSPOSED}\ndWh = h0 @ da1.T + h1 @ da2.T + h2 @ da3.T", EXAMPLES["rnn"]())
    assert [line.sentence.endswith(", with samples as columns") for line in program.lines] == [True, True], program
    assert "columns" not in repr(check_lines(COLUMNS, DEEP_TANH)), "many lines say that they are"


@pytest.mark.parametrize(("right", "turned"), [("dZ1 @ X.T", "X @ dZ1.T"), ("dZ2 @ A1.T", "A1 @ dZ2.T")])
def test_of_one_gradient_that_is_transposed_it_is_said_and_no_other_line_is_blamed(right, turned):
    """With one output too, where W2 has as many numbers either way."""
    text = "dZ2 = 2 * (A2 - Y)\ndW2 = dZ2 @ A1.T\ndA1 = W2.T @ dZ2\ndZ1 = dA1 * (A1 > 0)\ndW1 = dZ1 @ X.T"
    problem = random_problem(1, samples=5, inputs=3, outputs=1)
    assert check_lines(text, problem, names={"A1": "H1"}).ok
    found = check_lines(text.replace(right, turned), problem, names={"A1": "H1"}).lines
    assert [line.text for line in found if "but transposed" in line.sentence] == [f"dW{right[2]} = {turned}"], found
    assert all(line.ok for line in found), found


@pytest.mark.parametrize(("right", "wrong", "sentence"), OF_RECURRENT)
def test_a_state_of_another_step_and_what_is_missing_in_every_term_are_named(right, wrong, sentence):
    assert right in RECURRENT
    found = check_lines(RECURRENT.replace(right, wrong), EXAMPLES["rnn"]())
    assert [line.ok for line in found.lines].count(False) == 1, found
    assert sentence in found.first_wrong.sentence


OVER_TIME = """
  dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
  dbh, dby = np.zeros_like(bh), np.zeros_like(by)
  dhnext = np.zeros_like(hs[0])
  for t in reversed(range(len(inputs))):
    dy = np.copy(ps[t])
    dy[targets[t]] -= 1
    dWhy += np.dot(dy, hs[t].T)
    dby += dy
    dh = np.dot(Why.T, dy) + dhnext
    dhraw = (1 - hs[t] * hs[t]) * dh
    dbh += dhraw
    dWxh += np.dot(dhraw, xs[t].T)
    dWhh += np.dot(dhraw, hs[t-1].T)
    dhnext = np.dot(Whh.T, dhraw)
"""  # as in Karpathy's min-char-rnn
AT_RANDOM = np.random.default_rng(0).standard_normal
THREE_LETTERS = program(
    "".join(
        f"h{t} = np.tanh(Wxh @ x{t} + Whh @ h{t - 1} + bh)\ny{t} = Why @ h{t} + by\n"
        f"p{t} = np.exp(y{t}) / np.sum(np.exp(y{t}))\n"
        for t in (1, 2, 3)
    )
    + "loss = -np.log(p1[c1, 0]) - np.log(p2[c2, 0]) - np.log(p3[c3, 0])",
    {"Wxh": AT_RANDOM((3, 4)), "Whh": AT_RANDOM((3, 3)), "Why": AT_RANDOM((4, 3)), "bh": AT_RANDOM((3, 1)),
     "by": AT_RANDOM((4, 1))},
    {f"x{t}": np.eye(4)[:, t - 1 : t] for t in (1, 2, 3)} | {"h0": AT_RANDOM((3, 1)), "c1": 1, "c2": 2, "c3": 3},
)  # fmt: skip
FROM_0 = {
    "hs": {-1: "h0", 0: "h1", 1: "h2", 2: "h3"},
    "xs": ["x1", "x2", "x3"],
    "inputs": ["x1", "x2", "x3"],
    "ps": ["p1", "p2", "p3"],
    "targets": ("c1", "c2", "c3"),
}
FROM_1 = {
    "hs": ["h0", "h1", "h2", "h3"],
    "xs": {1: "x1", 2: "x2", 3: "x3"},
    "ps": [None, "p1", "p2", "p3"],
    "targets": {1: "c1", 2: "c2", 3: "c3"},
}


@pytest.mark.parametrize(
    ("loop", "names"),
    [
        ("reversed(range(len(inputs)))", FROM_0),
        ("reversed(xrange(3))", FROM_0),
        ("range(2, -1, -1)", FROM_0),
        ("reversed(range(1, 4))", FROM_1),
        ("range(len(hs) - 1, 0, -1)", FROM_1),
        ("(3, 2, 1)", FROM_1),
    ],
)
def test_a_loop_over_time_is_followed_where_it_is_said_what_its_lists_have_in_them(loop, names):
    found = check_lines(OVER_TIME.replace("reversed(range(len(inputs)))", loop), THREE_LETTERS, names)
    assert found.ok, found
    of = [line.of for line in found.lines]
    assert {"dh3", "dh2", "dh1", "dy3", "dy2", "dy1", "dWxh", "dWhh", "dWhy", "dbh", "dby"} <= {*of}
    assert found.missing == ()
    renamed = check_lines(
        OVER_TIME.replace("reversed(range(len(inputs)))", loop).replace("dy", "dp"), THREE_LETTERS, names
    )
    assert renamed.ok, renamed  # dp is the gradient before the softmax that gives p


WRONG_OVER_TIME = [
    ("hs[t-1].T", "hs[t].T", ["dWhh"], "one step later than it should be: h3, h2 and h1 used where h2, h1 and h0"),
    (" + dhnext", "", ["dh2", "dh1"], "h2 affects the loss along several paths, and without `Whh.mT @ dhraw` not all"),
    ("hs[t] * hs[t]", "hs[t]", ["dh3_in", "dh2_in", "dh1_in"], "only part of the slope"),
    ("(1 - hs[t] * hs[t]) * dh", "dh", ["dh3_in", "dh2_in", "dh1_in"], "the slope of the function that gives h3 is"),
    ("(1 - hs[t] * hs[t]) * dh", "(1 - xs[t] * xs[t])[:3] * dh", ["dh3_in", "dh2_in", "dh1_in"], "dhraw[0, 0] should"),
    ("-= 1", "-= 2", ["dy3", "dy2", "dy1"], "counts twice"),
    ("dhnext = np.dot(Whh.T", "dhnext = np.dot(Whh", ["dh2", "dh1"], "in which a transpose is missing"),
    ("dWhy += np", "dWhy = np", ["dWhy", "dWhy", "dWhy"], "Why affects the loss along several paths, and without `dy2"),
]


def test_places_that_are_data_of_the_problem_are_asked_for_by_their_names():
    with pytest.raises(
        ValueError, match=r"say what targets is .*names=\{'targets': \['c1', 'c2', 'c3'\]\}, and not by its"
    ):
        check_lines(OVER_TIME, THREE_LETTERS, {**FROM_0, "targets": [1, 2, 3]})


def test_a_wrong_value_is_taken_for_one_of_its_own_size_also_where_others_come_first():
    """All hidden states come before all scores; the gradients are clipped at the end, as in min-char-rnn."""
    lines = "".join(f"h{t} = np.tanh(Wxh @ x{t} + Whh @ h{t - 1} + bh)\n" for t in (1, 2, 3))
    lines += "".join(f"y{t} = Why @ h{t} + by\n" for t in (1, 2, 3))
    lines += "".join(f"p{t} = np.exp(y{t}) / np.sum(np.exp(y{t}))\n" for t in (1, 2, 3))
    lines += "loss = -np.log(p1[c1, 0]) - np.log(p2[c2, 0]) - np.log(p3[c3, 0])"
    wide = {"Wxh": AT_RANDOM((5, 4)), "Whh": AT_RANDOM((5, 5)), "Why": AT_RANDOM((4, 5)), "bh": AT_RANDOM((5, 1))}
    data = {name: THREE_LETTERS.data[name] for name in ("x1", "x2", "x3", "c1", "c2", "c3")}
    problem = program(lines, wide | {"by": AT_RANDOM((4, 1))}, data | {"h0": AT_RANDOM((5, 1))})
    clipped = "\n".join(f"  np.clip({name}, -50, 50, out={name})" for name in ("dWxh", "dWhh", "dWhy", "dbh", "dby"))
    text = OVER_TIME + clipped
    assert check_lines(text, problem, FROM_0).ok
    found = check_lines(text.replace("hs[t] * hs[t]", "hs[t]"), problem, FROM_0)
    assert [line.of for line in found.lines if not line.ok] == ["dh3_in", "dh2_in", "dh1_in"], found
    assert all("only part of the slope" in line.sentence for line in found.lines if not line.ok), found


@pytest.mark.parametrize(("right", "wrong", "of", "sentence"), WRONG_OVER_TIME)
def test_a_mistake_in_a_loop_over_time_is_found_in_its_line_and_no_other_is_blamed(right, wrong, of, sentence):
    assert right in OVER_TIME
    found = check_lines(OVER_TIME.replace(right, wrong), THREE_LETTERS, FROM_0)
    assert [line.of for line in found.lines if not line.ok] == of, found
    assert sentence in found.first_wrong.sentence, found


@pytest.mark.parametrize(("right", "wrong", "of", "sentence"), WRONG_OVER_TIME)
def test_so_it_is_where_no_name_says_what_is_a_gradient(right, wrong, of, sentence):
    text = OVER_TIME.replace(right, wrong)
    for name, own in {"dhnext": "back", "dy": "e", "dhraw": "r", "dh": "q"}.items():
        text, sentence = (re.sub(rf"\b{name}\b", own, each) for each in (text, sentence))
    found = check_lines(text, THREE_LETTERS, FROM_0)
    assert [line.of for line in found.lines if not line.ok] == of, found
    assert sentence in found.first_wrong.sentence, found


OF_LSTM = """
dWx = np.zeros_like(Wx); dWh = np.zeros_like(Wh); db = np.zeros_like(b); dWy = np.zeros_like(Wy)
dh_next = np.zeros_like(h[0])
dc_next = np.zeros_like(c[0])
for t in reversed(range(1, 4)):
    dy = 2 * (y[t] - targets[t])
    dWy += h[t].T @ dy
    dh = dy @ Wy.T + dh_next
    tc = np.tanh(c[t])
    do = dh * tc
    dc = dh * o[t] * (1 - tc**2) + dc_next
    di = dc * g[t]
    dg = dc * i[t]
    df = dc * c[t-1]
    dc_next = dc * f[t]
    dz = np.hstack([di * i[t] * (1 - i[t]), df * f[t] * (1 - f[t]), do * o[t] * (1 - o[t]), dg * (1 - g[t]**2)])
    dWx += x[t].T @ dz
    dWh += h[t-1].T @ dz
    db += dz.sum(axis=0)
    dh_next = dz @ Wh.T
"""
LSTM_OF_3 = program(
    "\n".join(
        f"z{t} = x{t} @ Wx + h{t - 1} @ Wh + b\n"
        + "".join(f"{gate}{t} = 1 / (1 + np.exp(-z{t}[:, {3 * k}:{3 * k + 3}]))\n" for k, gate in enumerate("ifo"))
        + f"g{t} = np.tanh(z{t}[:, 9:12])\nc{t} = f{t} * c{t - 1} + i{t} * g{t}\nh{t} = o{t} * np.tanh(c{t})\n"
        f"y{t} = h{t} @ Wy"
        for t in (1, 2, 3)
    )
    + "\nL = np.sum((y1 - t1)**2) + np.sum((y2 - t2)**2) + np.sum((y3 - t3)**2)",
    {"Wx": AT_RANDOM((4, 12)), "Wh": AT_RANDOM((3, 12)), "b": AT_RANDOM((1, 12)), "Wy": AT_RANDOM((3, 2))},
    {f"{name}{t}": AT_RANDOM((5, size)) for t in (1, 2, 3) for name, size in (("x", 4), ("t", 2))}
    | {"h0": AT_RANDOM((5, 3)), "c0": AT_RANDOM((5, 3))},
)
OF_ITS_GATES = {name: {t: f"{name}{t}" for t in range(name not in "hc", 4)} for name in "hcifogxyz"}
OF_ITS_GATES["targets"] = {t: f"t{t}" for t in (1, 2, 3)}
WRONG_IN_LSTM = [
    (" + dc_next", "", "dc2 dc1", ""),
    ("dh * o[t] * (1 - tc**2)", "dh * o[t]", "dc3 dc2 dc1", "the slope of the function that gives h3_tanh is missing"),
    ("dc * c[t-1]", "dc * c[t]", "df3 df2 df1", "c3 used where c2 was meant"),
    ("do = dh * tc", "do = dh * c[t]", "do3 do2 do1", "c3 used in place of h3_tanh"),
    ("h[t-1].T", "h[t].T", "dWh", "one step later than it should be"),
]


def test_the_gates_of_an_lstm_are_judged_in_each_turn():
    found = check_lines(OF_LSTM, LSTM_OF_3, OF_ITS_GATES)
    assert found.ok, found
    of = {line.of for line in found.lines}
    assert {f"d{gate}{t}" for gate in "ifogzch" for t in (1, 2, 3)} | {"dWx", "dWh", "db", "dWy"} <= of


@pytest.mark.parametrize(("right", "wrong", "of", "sentence"), WRONG_IN_LSTM)
def test_a_mistake_in_an_lstm_is_found_in_its_line_and_no_other_is_blamed(right, wrong, of, sentence):
    assert right in OF_LSTM
    found = check_lines(OF_LSTM.replace(right, wrong), LSTM_OF_3, OF_ITS_GATES)
    assert [line.of for line in found.lines if not line.ok] == of.split(), found
    assert sentence in found.first_wrong.sentence, found


def test_outside_of_a_loop_a_gradient_that_is_called_previous_is_judged_like_any_other():
    text = "dZ2 = 2 * (y_pred - y)\ndA_prev = dZ2 @ W2.T + 1\ndZ1 = dA_prev * (H1 > 0)"
    found = check_lines(text, random_problem(1, samples=5))
    assert [line.ok for line in found.lines] == [True, False, True], found
    assert "Every number is 1 too large" in found.first_wrong.sentence


def test_of_a_loop_over_time_it_is_asked_what_its_lists_have_in_them():
    with pytest.raises(ValueError, match=r"say what is in such lists, as in names=\{'hs': \['h0', 'h1', 'h2'\]\}"):
        check_lines(OVER_TIME, THREE_LETTERS)
    with pytest.raises(ValueError, match="there is no 'h9' in this problem; there are x1, x2, x3, h0"):
        check_lines(OVER_TIME, THREE_LETTERS, {**FROM_0, "hs": {0: "h9"}})
    with pytest.raises(ValueError, match="names says what hs has at 0, 1 and so on, and perhaps at -1; got a key 'a'"):
        check_lines(OVER_TIME, THREE_LETTERS, {**FROM_0, "hs": {"a": "h1"}})
    short = check_lines(OVER_TIME, THREE_LETTERS, {**FROM_0, "xs": ["x1", "x2"]})
    assert "the list has fewer entries than that" in short.first_wrong.sentence, short
    unknown = check_lines(OVER_TIME, THREE_LETTERS, {**FROM_0, "hs": ["h1", "h2", "h3", None]})
    assert "what is hs_3? Say it" in next(line.sentence for line in unknown.lines if line.ok is None), unknown


SIGMOIDS = random_problem(5, 5, 4, 6, 1, activation=Sigmoid(), loss=BinaryCrossEntropy())
LOGISTIC = random_problem(2, 5, 4, (6, 3), 1, activation=Tanh(), loss=BinaryCrossEntropy())
MOMENTUM, ADAM = SOFTMAX.evolve(optimizer=Momentum(0.9)), SOFTMAX.evolve(optimizer=Adam())
DRAWN = np.random.default_rng(0).standard_normal
NORMED, DROPPED = (
    Problem(
        Network((*layers, Linear(DRAWN((6, 3)), DRAWN((1, 3))))), SoftmaxCrossEntropy(), DRAWN((5, 4)), SOFTMAX.y, 0.1
    )
    for layers in (
        (Linear(DRAWN((4, 6))), BatchNorm(1 + 0.1 * DRAWN((1, 6)), DRAWN((1, 6))), ReLU()),
        (Linear(DRAWN((4, 6)), DRAWN((1, 6))), ReLU(), Dropout(0.4)),
    )
)
IN_TWO = "d2 = (probs - y) / 5\ndW2 = h.T @ d2\nd1 = d2 @ W2.T * (h > 0)\ndW1 = X.T @ d1\n"
STYLES = {
    "lists": (
        """
dWs, dbs, deltas = [None] * 3, [None] * 3, [None] * 3
deltas[2] = (activations[3] - y) / len(X)
dWs[2] = activations[2].T @ deltas[2]
dbs[2] = deltas[2].sum(axis=0)
deltas[1] = deltas[2] @ Ws[2].T * (1 - activations[2] ** 2)
dWs[1] = activations[1].T @ deltas[1]
deltas[0] = deltas[1] @ Ws[1].T * (1 - activations[1] ** 2)
dWs[0] = activations[0].T @ deltas[0]
""",
        LOGISTIC,
        "dY3 dW3 db3 dY2 dW2 dY1 dW1",
    ),
    "lists from one": (
        """
dWs[2] = h.T @ dy_pred
d1 = dy_pred @ Ws[2].T * (h > 0)
dWs[1] = X.T @ d1
""",
        SOFTMAX,
        "dW2 dY1 dW1",
    ),
    "helpers": (
        """
def slope(a):
    '''Of a sigmoid.'''
    return a * (1 - a)
twice = lambda z: z + z
d2 = (twice(output) - 2 * y) / 10
d1 = d2 @ W2.T * slope(hidden)
dW1 = X.T @ d1
""",
        SIGMOIDS,
        "dY2 dY1 dW1",
    ),
    "helpers that give several": (
        """
def relu_backward(dA: np.ndarray, Z) -> np.ndarray:
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ
def linear_backward(dZ, A_prev, W):
    return np.dot(dZ, W.T), np.dot(A_prev.T, dZ), dZ.sum(axis=0)
def backward(self, X, y):
    dA1, dW2, db2 = linear_backward((probs - y) / 5, A1, W2)
    _, dW1, db1 = linear_backward(relu_backward(dA1, Z1), X, W1)
""",
        SOFTMAX,
        "dH1 dW2 db2 dW1 db1",
    ),
    "several targets": (
        """
dW2 = db2 = None
dz2 = dscores = (p - y) / 5
dW2 = h.T @ dscores
db2 = dscores.sum(0)
""",
        SOFTMAX,
        "dy_pred dy_pred dW2 db2",
    ),
    "walrus": (
        """
grads['W2'] = h.T @ (d := (p - y) / 5)
grads['b2'] = d.sum(0)
""",
        SOFTMAX,
        "dy_pred dW2 db2",
    ),
    "loss and gradients": (
        IN_TWO
        + """
return loss / 5, {'W2': h.T @ d2, 'b2': d2.sum(0)}
""",
        SOFTMAX,
        "dy_pred dW2 dY1 dW1 dW2 db2",
    ),
    "collected": (
        IN_TWO
        + """
q = d2.sum(0)
return {'w1': dW1, 'w2': dW2, 'b2': q}
""",
        SOFTMAX,
        "dy_pred dW2 dY1 dW1 db2",
    ),
    "float32": (
        """
X = X.astype(np.float32)
W2 = W2.astype('float32')
d2 = (probs - y) / np.float32(5)
dW2 = h.T @ d2
d1 = d2 @ W2.T * (h > 0)
dW1 = X.T @ d1

""",
        SOFTMAX,
        "dy_pred dW2 dY1 dW1",
    ),
    "Greek": (
        """
δ3 = (A3 - y) / 5
dW3 = A2.T @ δ3
δ2 = δ3 @ W3.T * (1 - A2**2)
db2 = δ2.sum(0)
""",
        LOGISTIC,
        "dY3 dW3 dY2 db2",
    ),
    "local slopes": (
        """
dC_da2 = (a2 - y) / (a2 * (1 - a2)) / 5
da2_dz2 = a2 * (1 - a2)
dz2_dw2 = a1
dC_dz2 = dC_da2 * da2_dz2
dC_dw2 = dz2_dw2.T @ dC_dz2
""",
        SIGMOIDS,
        "dy_pred dY2 dW2",
    ),
    "h before h_relu": (
        """
grad_y_pred = (probs - y) / 5
grad_w2 = h_relu.T @ grad_y_pred
grad_h_relu = grad_y_pred @ w2.T
grad_h = grad_h_relu.copy()
grad_h[h < 0] = 0
grad_w1 = X.T @ grad_h
""",
        SOFTMAX,
        "dy_pred dW2 dH1 dY1 dW1",
    ),
    "g_": (
        """
g_out = (probs - y) / 5
g_W2 = h.T @ g_out
b2_gradient = g_out.sum(0)
""",
        SOFTMAX,
        "dy_pred dW2 db2",
    ),
    "states in dictionaries": (
        IN_TWO
        + """
v['dW1'] = 0.9 * v['dW1'] + grads['dW1']
W1 = W1 - lr * v['dW1']
""",
        MOMENTUM,
        "dy_pred dW2 dY1 dW1 vW1_new W1_new",
    ),
    "states that begin at 0": (
        IN_TWO
        + """
velocity_W1 = np.zeros_like(W1)
velocity_W1 = 0.9 * velocity_W1 + dW1
W1 -= lr * velocity_W1
""",
        MOMENTUM,
        "dy_pred dW2 dY1 dW1 vW1_new W1_new",
    ),
    "Adam of a class": (
        IN_TWO
        + """
self.m['W1'] = 0.9 * self.m['W1'] + 0.1 * dW1
self.v['W1'] = 0.999 * self.v['W1'] + 0.001 * dW1**2
m_hat = self.m['W1'] / (1 - 0.9**self.t)
v_hat = self.v['W1'] / (1 - 0.999**self.t)
params['W1'] -= lr * m_hat / (np.sqrt(v_hat) + 1e-8)
""",
        ADAM,
        "dy_pred dW2 dY1 dW1 mW1_new vW1_new mhatW1 vhatW1 W1_new",
    ),
    "names that are used again": (
        IN_TWO
        + """
mh = (0.9 * mW1 + 0.1 * dW1) / (1 - 0.9)
vh = (0.999 * vW1 + 0.001 * dW1**2) / (1 - 0.999)
W1 -= lr * mh / (np.sqrt(vh) + 1e-8)
mh = (0.9 * mW2 + 0.1 * dW2) / (1 - 0.9)
vh = (0.999 * vW2 + 0.001 * dW2**2) / (1 - 0.999)
W2 -= lr * mh / (np.sqrt(vh) + 1e-8)
""",
        ADAM,
        "dy_pred dW2 dY1 dW1 mhatW1 vhatW1 W1_new mhatW2 vhatW2 W2_new",
    ),
    "mask in place": (
        """
dh = dy_pred @ W2.T
dh[h <= 0] = 0
dz = dh
dW1 = X.T @ dz
""",
        SOFTMAX,
        "dY1 dY1 dW1",
    ),
    "delta_W2 and gb2": (
        """
delta_out = (probs - y) / 5
delta_W2 = h.T @ delta_out
gb2 = delta_out.sum(0)
""",
        SOFTMAX,
        "dy_pred dW2 db2",
    ),
    "lists of weights": (
        """
d_weights[1] = h.T @ dy_pred
d_biases[1] = dy_pred.sum(0)
d1 = dy_pred @ weights[1].T * (h > 0)
d_weights[0] = X.T @ d1
""",
        SOFTMAX,
        "dW2 db2 dY1 dW1",
    ),
    "what comes back in one name": (
        """
dA_prev = dY3 @ W3.T
dZ2 = dA_prev * (1 - A2**2)
dA_prev = dZ2 @ W2.T
dZ1 = dA_prev * (1 - A1**2)
""",
        LOGISTIC,
        "dH2 dY2 dH1 dY1",
    ),
    "Adam of VdW and SdW": (
        IN_TWO
        + """
t = 0
t += 1
VdW1 = 0.9 * VdW1 + 0.1 * dW1
SdW1 = 0.999 * SdW1 + 0.001 * dW1**2
W1 -= lr * VdW1 / (1 - 0.9**t) / (np.sqrt(SdW1 / (1 - 0.999**t)) + 1e-8)
""",
        ADAM,
        "dy_pred dW2 dY1 dW1 mW1_new vW1_new W1_new",
    ),
    "dropout between h1 and h1_drop": (
        """
p_drop = 0.4
dW2 = h1_drop.T @ dy_pred
dh1_drop = dy_pred @ W2.T
dh1 = dh1_drop * mask / (1 - p_drop)
dz1 = dh1 * (h1 > 0)
""",
        DROPPED,
        "dW2 dD1 dH1 dY1",
    ),
    "batch norm with a number": (
        """
dn1 = dy_pred @ W2.T * (h1 > 0)
dgamma1 = (dn1 * xhat1).sum(0)
""",
        NORMED,
        "dN1 dgamma1",
    ),
    "lists from the end": (
        """
delta = (activations[-1] - y) / len(y)
nabla_b[-1] = delta.sum(axis=0)
nabla_w[-1] = np.dot(activations[-2].transpose(), delta)
delta = np.dot(delta, weights[-1].transpose()) * (1 - np.tanh(zs[-2]) ** 2)
nabla_b[-2] = delta.sum(axis=0)
nabla_w[-2] = np.dot(activations[-3].transpose(), delta)
delta = np.dot(delta, weights[-2].transpose()) * (1 - activations[-3] ** 2)
nabla_w[-3] = np.dot(activations[-4].transpose(), delta)
""",
        LOGISTIC,
        "dY3 db3 dW3 dY2 db2 dW2 dY1 dW1",
    ),
    "a class": (
        """
class Net:
    def __init__(self, rng):
        self.W1, self.b1 = 0.01 * rng.random((4, 6)), np.zeros(6)

    @staticmethod
    def slope(z):
        return 1.0 * (z > 0)

    def forward(self, X):
        self.Z1 = X @ self.W1 + self.b1
        self.A1 = np.maximum(self.Z1, 0)

    def backward(self, X, y):
        dZ2 = (self.probs - y) / len(y)
        self.dW2 = self.A1.T @ dZ2
        self.dZ1 = dZ2 @ self.W2.T * self.slope(self.Z1)

    def step(self, lr):
        self.W2 -= lr * self.dW2
""",
        SOFTMAX,
        "dy_pred dW2 dY1 W2_new",
    ),
    "other dictionaries of gradients": (
        """
d = {"W2": h.T @ dy_pred}
layer["b1"] = np.zeros(6)
sums["b2"] = np.zeros_like(b2)
sums["b2"] += dy_pred.sum(0)
dz = dy_pred @ params["W2"].T * (h > 0)
self.dparams["W1"] = np.zeros_like(W1)
self.dparams["W1"] += X.T @ dz
params["W1"] -= lr * self.dparams["W1"]
params["W2"] = params["W2"] - lr * d["W2"]
""",
        SOFTMAX,
        "dW2 db2 dY1 dW1 W1_new W2_new",
    ),
    "hidden": (
        """
d_hidden = dy_pred @ W2.T * (1 - hidden**2)
dW1 = X.T @ d_hidden
""",
        DEEP_TANH,
        "dY1 dW1",
    ),
    "Adam of v and s": (
        IN_TWO
        + """
v['dW1'] = 0.9 * v['dW1'] + 0.1 * dW1
v_corrected['dW1'] = v['dW1'] / (1 - 0.9**t)
s['dW1'] = 0.999 * s['dW1'] + 0.001 * dW1**2
s_corrected['dW1'] = s['dW1'] / (1 - 0.999**t)
W1 -= lr * v_corrected['dW1'] / (np.sqrt(s_corrected['dW1']) + 1e-8)
""",
        ADAM,
        "dy_pred dW2 dY1 dW1 mW1_new mhatW1 vW1_new vhatW1 W1_new",
    ),
    "batch norm": (
        """
d2 = (probs - y) / 5
dbn = d2 @ W2.T * (h > 0)
dgamma = np.sum(dbn * x_hat, axis=0)
dbeta = dbn.sum(0)
dx_hat = dbn * gamma
std_inv = 1 / np.sqrt(var + 1e-5)
dvar = np.sum(dx_hat * (z1 - mu), axis=0) * -0.5 * std_inv**3
dmu = np.sum(-dx_hat * std_inv, axis=0)
dz1 = dx_hat * std_inv + dvar * 2 * (z1 - mu) / 5 + dmu / 5
dW1 = X.T @ dz1
""",
        NORMED,
        "dy_pred dN1 dgamma1 dbeta1 dXhat1 dvar1 dmu1 dY1 dW1",
    ),
    "dropout with D1 as its mask": (
        """
dZ2 = (A2 - Y) / 5
dW2 = np.dot(A1.T, dZ2)
dA1 = np.dot(dZ2, W2.T)
dA1 = dA1 * D1
dA1 = dA1 / 0.6
dZ1 = dA1 * (Z1 > 0)
dW1 = np.dot(X.T, dZ1)
""",
        DROPPED,
        "dy_pred dW2 dH1 dY1 dW1",
    ),
    "dropout with mask": (
        """
dh = dy_pred @ W2.T
dh *= mask / 0.6
dz1 = dh * (z1 > 0)
""",
        DROPPED,
        "dH1 dY1",
    ),
}


@pytest.mark.parametrize(("text", "problem", "of"), STYLES.values(), ids=STYLES)
def test_right_lines_in_many_styles_are_right_and_each_is_judged(text, problem, of):
    found = check_lines(text, problem)
    assert found.ok is True, found
    assert [line.of for line in found.lines] == of.split(), found


MAKEMORE = program(
    """
    norm_logits = X @ W + b
    counts = np.exp(norm_logits)
    counts_sum = counts.sum(axis=1, keepdims=True)
    counts_sum_inv = counts_sum**-1
    probs = counts * counts_sum_inv
    logprobs = np.log(probs)
    loss = -logprobs[np.arange(len(Yb)), Yb].mean()
    """,
    {"W": DRAWN((4, 3)), "b": DRAWN((1, 3))},
    {"X": DRAWN((6, 4)), "Yb": np.array([0, 2, 1, 1, 0, 2])},
)
OF_MAKEMORE = """
n = len(Yb)
dlogprobs = np.zeros_like(logprobs)
dlogprobs[range(n), Yb] = -1.0/n
dprobs = (1.0 / probs) * dlogprobs
dcounts_sum_inv = (counts * dprobs).sum(1, keepdims=True)
dcounts = counts_sum_inv * dprobs
dcounts_sum = (-counts_sum**-2) * dcounts_sum_inv
dcounts += np.ones_like(counts) * dcounts_sum
dnorm_logits = counts * dcounts
dW = X.T @ dnorm_logits
"""


def test_of_a_program_every_value_has_a_gradient_that_can_be_judged():
    each = ["dlogprobs", "dprobs", "dcounts_sum_inv", "dcounts_sum", "dcounts", "dnorm_logits", "dW"]
    found = check_lines(OF_MAKEMORE, MAKEMORE)
    assert found.ok, found
    assert [line.of for line in found.lines] == each, found
    wrong = check_lines(OF_MAKEMORE.replace("(-counts_sum**-2)", "counts_sum**-2"), MAKEMORE)
    assert [line.of for line in wrong.lines if line.ok is not True] == ["dcounts_sum"], wrong
    assert "minus what it should be" in wrong.first_wrong.sentence


GATES = program(
    """
    a = x @ Wx + h0 @ Wh
    i = 1 / (1 + np.exp(-a[:, 0:2]))
    f = 1 / (1 + np.exp(-a[:, 2:4]))
    g = np.tanh(a[:, 4:6])
    c = f * c0 + i * g
    L = np.sum((c - y)**2)
    """,
    {"Wx": DRAWN((3, 6)), "Wh": DRAWN((2, 6))},
    {"x": DRAWN((4, 3)), "h0": DRAWN((4, 2)), "c0": DRAWN((4, 2)), "y": DRAWN((4, 2))},
)
OF_GATES = """
dc = 2 * (c - y)
di = dc * g
df = dc * c0
dg = dc * i
di_input = i * (1 - i) * di
df_input = f * (1 - f) * df
dg_input = (1 - g ** 2) * dg
da = np.hstack((di_input, df_input, dg_input))
dWx = x.T.dot(da)
dh0 = da.dot(Wh.T)
"""


MASKED = program(
    "M = np.where(hidden, 0, X @ W)\nL = np.sum((M - y)**2)",
    {"W": DRAWN((2, 3))},
    {"X": DRAWN((4, 2)), "y": DRAWN((4, 3)), "hidden": np.arange(12).reshape(4, 3) % 3 == 1},
)


def test_the_lines_that_the_package_derives_are_right():
    forty = (program(*each) for each in FORTY.values())
    for problem in (MASKED, *forty, *map(programmed, PROGRAMS), *(example() for example in EXAMPLES.values())):
        found = check_lines("\n".join(f"{step.name} = {step.code}" for step in trace(problem).steps), problem)
        assert found.ok is True, found


@pytest.mark.parametrize("kept", [
    "dS = dM * ~hidden", "dS = np.where(~hidden, dM, 0)", "dS = dM.copy()\ndS[hidden] = 0",
    "dS = dM * np.logical_not(hidden)", "dS = dM.copy()\ndS *= (hidden == False)",
])  # fmt: skip
def test_a_mask_of_truth_values_may_be_inverted_and_may_pick_places(kept):
    lines = f"dM = 2 * (M - y)\n{kept}\ndW = X.T @ dS"
    found = check_lines(lines, MASKED)
    assert found.ok is True, found
    wrong = check_lines(lines.replace("hidden", "~hidden"), MASKED)
    assert [line.ok for line in wrong.lines] == [True, False], wrong
    assert "with an inverted mask" in wrong.first_wrong.sentence


def test_parts_of_the_learners_own_that_a_right_line_puts_together_are_not_blamed():
    found = check_lines(OF_GATES, GATES)
    assert found.ok, found
    assert [line.of for line in found.lines] == ["dc", "di", "df", "dg", "da", "dWx", "dh0"], found
    for right, wrong, of in (("(1 - g ** 2)", "g * (1 - g)", "da"), ("df = dc * c0", "df = dc * c", "df")):
        assert right in OF_GATES
        found = check_lines(OF_GATES.replace(right, wrong), GATES)
        assert [line.of for line in found.lines if line.ok is not True] == [of], found


def test_where_all_data_are_single_numbers_lines_are_judged():
    net = program("h = np.tanh(w1 * x)\nL = (w2 * h - t)**2", {"w1": 0.5, "w2": -1.5}, {"x": 2.0, "t": 1.0})
    text = "dy = 2 * (w2 * h - t)\ndw2 = dy * h\ndh = dy * w2\ndw1 = dh * (1 - h**2) * x"
    assert check_lines(text, net).ok
    wrong = check_lines(text.replace("dh * (1 - h**2)", "dh * (1 - h)"), net)
    assert [line.of for line in wrong.lines if line.ok is not True] == ["dw1"], wrong


def test_of_a_single_number_that_is_wrong_no_factor_is_told_that_any_number_has():
    lines = """
        a1 = -(k * x0 + c * v0) / m
        v1 = v0 + 0.1 * a1
        x1 = x0 + 0.1 * v1
        E = 0.5 * m * v1**2 + 0.5 * k * x1**2
        L = (x1 - x)**2 + (E - e)**2
    """
    spring = program(lines, {"k": 2.0, "c": 0.3, "m": 1.5}, {"x0": 1.0, "v0": 0.0, "x": 0.9, "e": 1.1})
    steps = {step.name: step.code for step in trace(spring).steps if step.phase == "backward"}
    found = check_lines(
        "\n".join(f"{name} = {code}" for name, code in (steps | {"dk": "-da1 * x0 / m"}).items()), spring
    )
    assert [line.of for line in found.lines if not line.ok] == ["dk"], found
    assert "not all of them are here" in found.first_wrong.sentence, found


HINGE = program(
    "scores = X @ W\nmargins = np.maximum(0, scores - scores[np.arange(len(y)), y][:, None] + 1) * others\n"
    "L = margins.sum() / len(y) + 0.1 * np.sum(W**2)",
    {"W": DRAWN((4, 3))},
    {"X": DRAWN((5, 4)), "y": np.array([0, 2, 1, 1, 0]), "others": 1 - np.eye(3)[[0, 2, 1, 1, 0]]},
)
OF_HINGE = """
mask = np.zeros_like(scores)
mask[margins > 0] = 1
mask[np.arange(5), y] = -np.sum(mask, axis=1)
dW = X.T.dot(mask)
dW /= 5
dW += 2 * 0.1 * W
"""


def test_a_line_that_rests_on_how_data_hang_together_is_right_and_it_says_so():
    found = check_lines(OF_HINGE, HINGE)
    assert found.ok, found
    assert [line.sentence for line in found.lines] == ["right: dW, with data as yours"], found
    for right, wrong in (("0.1 * W", "0.2 * W"), ("/= 5", "/= 4"), ("-np.sum", "np.sum")):
        assert check_lines(OF_HINGE.replace(right, wrong), HINGE).ok is False, right


def test_beside_a_line_that_rests_on_how_data_hang_together_a_wrong_one_is_not_called_right():
    """Without the teacher's rows, which add up to 1, it is dS that seems to be wrong, by the factor of dW."""
    problem = program(*FORTY["distillation"])
    dS = trace(problem).step("dS").code
    found = check_lines(f"dS = {dS}\ndW = 2 * (X.mT @ dS)", problem)
    assert [(line.of, line.ok) for line in found.lines] == [("dS", True), ("dW", False)], found
    assert found.first_wrong.sentence == "wrong: dW is twice what it should be"


def test_a_line_is_wrong_by_a_factor_also_where_nothing_of_it_gets_through_with_these_data():
    problem = program(*FORTY["ppo"])
    lines = {step.name: step.code for step in trace(problem).steps if step.role == "gradient"}
    wrong = lines | {"dclipped": lines["dclipped"].removesuffix(" / len(advantage)")}
    assert wrong != lines
    found = check_lines("\n".join(f"{name} = {line}" for name, line in wrong.items()), problem)
    assert [line.of for line in found.lines if not line.ok] == ["dclipped"], found


VELOCITY = "vW1 = 0.9 * vW1 - lr * dW1\nW1 += vW1"


@pytest.mark.parametrize("wrong", [VELOCITY.replace("0.9", "0.5"), VELOCITY.replace("- lr", "+ lr")])
def test_what_is_said_of_a_velocity_with_the_rate_in_it_is_told_in_its_own_numbers(wrong):
    problem = trace(random_problem(1, 5, 4, 3, 2, optimizer=Momentum())).next_problem()
    given = trace(problem)
    right = 0.9 * -problem.lr * given["vW1"][0, 0] - problem.lr * given["dW1"][0, 0]
    assert check_lines(VELOCITY, problem).ok
    said = check_lines(wrong, problem).first_wrong.sentence
    assert f"vW1[0, 0] should be {plain(right)}, and is " in said, said
    assert "come with the step" not in said, "as W1 += vW1 has neither"


COUNTED_LATER = """
dZ2 = P - y
dW2 = H1.T @ dZ2 / 5
db2 = dZ2.sum(axis=0) / 5
dH1 = 0.3 * np.ones_like(H1)
dY1 = dH1 * (H1 > 0)
dW1 = X.T @ dY1 / 5
db1 = dY1.sum(axis=0) / 5
"""


def test_numbers_are_told_as_the_lines_have_them_where_a_later_line_divides_by_their_count():
    problem = random_problem(1, 5, 4, 3, 2, loss=SoftmaxCrossEntropy())
    right = 5 * trace(problem)["dH1"][0, 0]
    said = check_lines(COUNTED_LATER, problem).first_wrong.sentence
    assert f"dH1[0, 0] should be {plain(right)}, and yours is 0.3. All your numbers are the same, 0.3" in said


def test_a_cell_of_a_flat_bias_has_one_place_and_of_columns_and_rows_those_are_named_that_are_there():
    flat = "dy_pred = 2 * (y_pred - y)\ndb2 = dy_pred.sum(axis=0)[::-1]\nb2 -= lr * db2"
    said = check_lines(flat, random_problem(1, 5, 4, 3, 2)).first_wrong.sentence
    assert re.match(r"wrong: db2\[0\] should be .*\. Numbers 0 and 1 are swapped$", said), said
    text = (
        "dZ2 = A2 - Y\ndW2 = np.dot(dZ2, A1.T)[:, ::-1] / 5\ndb2 = dZ2.sum(axis=1, keepdims=True) / 5\ndA1 = W2.T @ dZ2"
    )
    said = check_lines(text, random_problem(1, 5, 4, 3, 2, loss=SoftmaxCrossEntropy())).first_wrong.sentence
    assert said.endswith("Columns 0 and 2 are swapped"), said


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.03, 0.01])
def test_a_rate_that_is_typed_as_a_number_is_told_whatever_else_it_may_be(rate):
    """0.02 is the right one twice, times the number of targets."""
    said = check_lines(f"W1 -= {rate} * dW1", random_problem(1, 5, 4, 3, 2)).first_wrong.sentence
    assert said == f"wrong: your step is that of a rate of {rate}, and here lr is 0.001"


def test_of_a_step_of_nothing_no_rate_is_told():
    dead = program(
        "s = X @ w\nL = np.sum(np.maximum(s, 0))", {"w": [-1.0, -2.0]}, {"X": np.eye(2)}, optimizer=Momentum()
    )
    assert check_lines("ds = 1.0 * (s > 0)\ndw = X.T @ ds\nvw_new = 0.9 * vw + dw", dead).ok


def test_what_an_update_would_give_is_not_called_a_parameter_that_no_line_changes():
    said = check_lines("dW1 = W1 - lr * dW1", random_problem(1, 5, 4, 3, 2)).first_wrong.sentence
    assert said.endswith("These are the numbers of W1_new"), said


def test_a_number_that_is_missing_is_not_called_the_gradient_that_comes_back():
    problem = program(*FORTY["multiclass svm"])
    assert trace(problem).step("dW").code == "X.mT @ dscores + 0.2 * W"
    wrong = check_lines("dW = X.mT @ dscores + W", problem).first_wrong
    assert wrong.sentence == "wrong: This looks like `X.mT @ dscores + W`: 0.2 is missing"


SUM, MEAN = random_problem(1, 5, 4, 6, 3), random_problem(1, 5, 4, 6, 3, loss=MeanSquaredError())
OF_MEAN = """
diff = y_pred - y
dout = 2 * diff / diff.size
dW2 = H1.T @ dout
db2 = dout.sum(0)
dh = dout @ W2.T
dz = dh * (H1 > 0)
dW1 = X.T @ dz
db1 = dz.sum(0)
"""
RESIDUAL = program(
    "H = np.maximum(X @ W1, 0)\nR = X + H @ W2\nL = np.sum((R - y)**2)",
    {"W1": DRAWN((3, 4)), "W2": DRAWN((4, 3))},
    {"X": DRAWN((5, 3)), "y": DRAWN((5, 3))},
    gradients=["X"],
)
POOLED = program(
    "Z = X @ w\nm = Z.max(axis=1, keepdims=True)\nL = np.sum((m - y)**2)",
    {"w": DRAWN((3, 4))},
    {"X": DRAWN((5, 3)), "y": DRAWN((5, 1))},
)
EMBEDDED = program(
    "E = C[words]\nL = np.sum((E - y)**2)",
    {"C": DRAWN((6, 2))},
    {"words": np.array([0, 2, 0]), "y": DRAWN((3, 2))},
)
ATTENTION = program(
    """
    Q = X @ Wq
    K = X @ Wk
    S = Q @ K.mT / np.sqrt(2)
    A = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
    L = np.sum((A @ X - y)**2)
    """,
    {"Wq": DRAWN((3, 2)), "Wk": DRAWN((3, 2))},
    {"X": DRAWN((4, 3)), "y": DRAWN((4, 3))},
)
SHIFTED = program(
    """
    S = X @ W
    m = S.max(axis=1, keepdims=True)
    P = np.exp(S - m) / np.exp(S - m).sum(axis=1, keepdims=True)
    L = -np.sum(y * np.log(P)) / 6
    """,
    {"W": DRAWN((4, 3))},
    {"X": DRAWN((6, 4)), "y": np.eye(3)[[0, 2, 1, 1, 0, 2]]},
)
SIGNED = program(
    "s = X @ w\nL = np.mean(np.log(1 + np.exp(-t * s)))",
    {"w": DRAWN((3, 1))},
    {"X": DRAWN((5, 3)), "t": np.array([[1], [-1], [1], [1], [-1.0]])},
)
TWO_HEADS = program(
    "h = np.tanh(x @ W)\nu = h @ U\nv = h @ V\nL = np.sum((u - y)**2) + np.sum((v - y)**2)",
    {"W": DRAWN((3, 4)), "U": DRAWN((4, 2)), "V": DRAWN((4, 2))},
    {"x": DRAWN((5, 3)), "y": DRAWN((5, 2))},
)
UNIT = program(
    """
    U = X @ W
    r = np.sqrt((U**2).sum(axis=1, keepdims=True))
    N = U / r
    Y = g * N + b
    L = np.sum((Y - y)**2) / len(y)
    """,
    {"W": DRAWN((4, 3)), "g": DRAWN(3), "b": DRAWN(3)},
    {"X": DRAWN((5, 4)), "y": DRAWN((5, 3))},
)
LEAKY = program(
    "A = X @ W\nH = np.where(A > 0, A, 0.1 * A)\nL = np.sum((H - y)**2)",
    {"W": DRAWN((3, 2))},
    {"X": DRAWN((4, 3)), "y": DRAWN((4, 2))},
)
EXPERTS = program(
    """
    g = np.exp(X @ Wg)
    F = np.einsum('nd,kdo->nko', X, Wf)
    o = np.einsum('nk,nko->no', g, F)
    L = np.sum((o - y)**2)
    """,
    {"Wg": DRAWN((3, 2)), "Wf": DRAWN((2, 3, 2))},
    {"X": DRAWN((4, 3)), "y": DRAWN((4, 2))},
)
PART_BY_PART = """
dh = 2 * (u - y) @ U.T
dW = x.T @ (dh * (1 - h**2))
dh = 2 * (v - y) @ V.T
dW += x.T @ (dh * (1 - h**2))
"""
IN_COLUMNS = """
A0 = X.T
Z1 = W1.T @ A0 + b1.T
A1 = np.tanh(Z1)
Z2 = W2.T @ A1 + b2.T
dZ2 = (probs - y).T / 5
dW2 = dZ2 @ A1.T
"""


NOT_BLAMED = {  # right texts, and which values they give
    "the other sign, and added": ("dY2 = 2 * (y - y_pred)\nW2 += lr * H1.T @ dY2", SUM, "dy_pred W2_new"),
    "a factor that is taken off, with data as theirs": (
        (
            "dscores = others * (margins > 0)\ndscores[np.arange(5), y] = -dscores.sum(axis=1)\n"
            "dW = X.T @ dscores / 5 + 0.2 * W"
        ),
        HINGE,
        "dscores dW",
    ),
    "a list of one's own": ("Ws = [W1, W2]\ndH1 = dy_pred @ Ws[1].T", SUM, "dH1"),
    "dictionaries that are filled": ("xs, hs = {}, {}\nxs[0] = X\ndW2 = H1.T @ dy_pred", SUM, "dW2"),
    "a list that is filled": ("zs = []\nzs.append(Y1)\ndY1 = dH1 * (zs[0] > 0)", SUM, "dY1"),
    "places that are added to": ("dC = np.zeros_like(C)\nnp.add.at(dC, words, 2 * (E - y))", EMBEDDED, "dC"),
    "written into": ("dW2 = np.empty((6, 3))\nnp.matmul(H1.T, dy_pred, out=dW2)", SUM, "dW2"),
    "with": ("with np.errstate(all='ignore'):\n    dW2 = H1.T @ dy_pred", SUM, "dW2"),
    "a number of an object": (
        (
            "class Net:\n    def __init__(self):\n        self.scale, self.b = 2.0, None\n"
            "    def backward(self, X, y):\n        dY2 = self.scale * (y_pred - y)"
        ),
        SUM,
        "dy_pred",
    ),
    "a prompt and a fence": ("```python\n>>> dW2 = H1.T @ dy_pred\n```\n%matplotlib inline", SUM, "dW2"),
    "what is copied from a page": ("dY2 = 2 * (y_pred \u2212 y)\ndE/dW2 = H1.T @ dY2", SUM, "dy_pred dW2"),
    "one name for several values": ("Z_ = Z\ndZ = 2 * (m - y) * (Z == m)", POOLED, "dZ"),
    "values that are kept": (
        (
            "class Network:\n    def backprop(self, X, y):\n        activations = [X]\n        zs = []\n"
            "        z = X @ W1 + b1\n        zs.append(z)\n        activations.append(np.maximum(z, 0))\n"
            "        dY1 = dH1 * (zs[0] > 0)\n        dW1 = activations[0].T @ dY1"
        ),
        SUM,
        "dY1 dW1",
    ),
    "what is 0 but for rounding": ("dm = -(P - y).sum(1, keepdims=True) / 6", SHIFTED, "dm"),
    "parts in one name": (PART_BY_PART, TWO_HEADS, "dW"),
    "a norm in between": (
        "dh = 2 * (u - y) @ U.T\nnorm = np.abs(dh).max()\ndh += 2 * (v - y) @ V.T\ndW = x.T @ (dh * (1 - h**2))",
        TWO_HEADS,
        "dh dW",
    ),
    "a list under a known name": (
        "dh = [2 * (u - y) @ U.T, 2 * (v - y) @ V.T]\ndW = x.T @ ((dh[0] + dh[1]) * (1 - h**2))",
        TWO_HEADS,
        "dW",
    ),
    "a dictionary under a known name": (
        'dh = {"u": 2 * (u - y) @ U.T, "v": 2 * (v - y) @ V.T}\ndW = x.T @ ((dh["u"] + dh["v"]) * (1 - h**2))',
        TWO_HEADS,
        "dW",
    ),
    "zeros that are not needed": ("d = 2 * (y_pred - y)\ndW2 = np.zeros_like(W2)\ndW2 = H1.T @ d", SUM, "dy_pred dW2"),
    "a default": ("def backward(X, y, two=2):\n    dY2 = two * (y_pred - y)", SUM, "dy_pred"),
    "a list of gradients": (
        "dWs = [X.T @ dY1, H1.T @ dy_pred]\ndW1 = dWs[0]\ndW2 = dWs[1]",
        SUM,
        "dW1 dW2",
    ),
    "zeros by a for": (
        "nabla_w = [np.zeros(w.shape) for w in (W1, W2)]\nnabla_w[-1] = H1.T @ dy_pred",
        SUM,
        "dW2",
    ),
    "a new name": ("dW2 = H1.T @ dy_pred\nnew_W2 = W2 - lr * dW2", SUM, "dW2 W2_new"),
    "lists by name": ("dH1 = dy_pred @ weights[1].T", SUM, "dH1"),
}


@pytest.mark.parametrize(("text", "problem", "of"), NOT_BLAMED.values(), ids=NOT_BLAMED)
def test_what_students_write_is_read(text, problem, of):
    names = {"weights": ["W1", "W2"]} if "weights" in text else None
    found = check_lines(text, problem, names)
    assert [line.of for line in found.lines] == of.split(), found
    assert found.ok, found


GATED = program(
    """
    z = 1 / (1 + np.exp(-(x @ Wz + h0 @ Uz)))
    n = np.tanh(x @ Wn)
    h = (1 - z) * n + z * h0
    L = np.mean((h - y)**2)
    """,
    {"Wz": DRAWN((3, 2)), "Uz": DRAWN((2, 2)), "Wn": DRAWN((3, 2))},
    {"x": DRAWN((4, 3)), "h0": DRAWN((4, 2)), "y": DRAWN((4, 2))},
)
OF_GATED = """
dh = 2 * (h - y) / 8
dz = dh * (h0 - n) * z * (1 - z)
dn = dh * (1 - z) * (1 - n**2)
dWz = x.T @ dz
dUz = h0.T @ dz
dWn = x.T @ dn
"""
OF_HIDDEN = """
dout = 2 * (y_pred - y)
dH1 = dout @ W2.T * (H1 > 0)
dW1 = X.T @ dH1
db1 = dH1.sum(0)
"""
OF_COLUMNS = """
dc = 2 * (c - y)
di = dc * g * i * (1 - i)
df = dc * c0 * f * (1 - f)
dg = dc * i * (1 - g ** 2)
da = np.hstack((di, df, dg))
"""
WITH_SLOPES = {  # right texts, in which a gradient has the slope of its value in it, and what their values are
    "in one line": (OF_HIDDEN, SUM, "dy_pred dY1 dW1 db1"),
    "in two": (OF_HIDDEN.replace("* (H1", "\ndH1 = dH1 * (H1"), SUM, "dy_pred dY1 dW1 db1"),
    "of a gate": (OF_GATED, GATED, "dh dz_in dWz dUz dWn"),
    "of a gate, in place": (OF_GATED.replace("* z * (", "\ndz *= z * ("), GATED, "dh dz_in dWz dUz dWn"),
    "of columns, which have no name": (OF_COLUMNS, GATES, "dc da"),
}


@pytest.mark.parametrize(("text", "problem", "of"), WITH_SLOPES.values(), ids=WITH_SLOPES)
def test_a_gradient_with_the_slope_in_it_is_that_of_what_the_activation_was_taken_of(text, problem, of):
    found = check_lines(text, problem)
    assert found.ok is True, found
    assert [line.of for line in found.lines] == of.split(), found


SCALED = program(
    "S = X @ W * np.exp(t)\nL = np.sum((S - y)**2)",
    {"W": DRAWN((3, 2)), "t": 0.7},
    {"X": DRAWN((4, 3)), "y": DRAWN((4, 2))},
)
WITH_WRONG_SLOPES = [  # what becomes of which line in them, which values are wrong, and what is said of the first
    (OF_HIDDEN, SUM, "(H1 > 0)", "(Y1 < 0)", "dY1", "an inverted mask"),
    (OF_HIDDEN, SUM, " * (H1 > 0)", "", "dW1 db1", "it has not been back through the activation yet"),
    (OF_HIDDEN, SUM, "db1 = dH1.sum(0)", "dY1 = dH1 * (H1 > 0)", "dH1 dW1", ""),
    (OF_GATED, GATED, "z * (1 - z)", "z * (1 + z)", "dz_in", "a `+` where `-` was meant"),
    (OF_GATED, GATED, "(h0 - n) *", "(h0 + n) *", "dz_in", ""),
    (OF_GATED, GATED, "x.T @ dn", "x.T @ dh", "dWn", ""),
    ("dS_exp = (dS * (X @ W)).sum()", SCALED, "W)", "W) * np.exp(t)", "dS_exp", "dt"),  # which is a parameter's
    (OF_COLUMNS, GATES, "c0 * f * (1 - f)", "c0 * f * (1 + f)", "df", "all 8 numbers differ"),
    (OF_COLUMNS, GATES, "(1 - g ** 2)", "(1 - g)", "dg", "all 8 numbers differ"),
]


@pytest.mark.parametrize(("text", "problem", "right", "wrong", "of", "sentence"), WITH_WRONG_SLOPES)
def test_a_gradient_with_a_wrong_slope_in_it_is_wrong(text, problem, right, wrong, of, sentence):
    assert right in text
    found = check_lines(text.replace(right, wrong), problem)
    assert [line.of for line in found.lines if line.ok is not True] == of.split(), found
    assert sentence in found.first_wrong.sentence, found


def test_where_x_and_y_are_data_dx_and_dy_are_what_their_numbers_say():
    draw = np.random.default_rng(0).standard_normal
    lines = "H = np.maximum(x @ W1, 0)\nout = H @ W2\nL = np.sum((out - y)**2)"
    ours = program(lines, {"W1": draw((3, 4)), "W2": draw((4, 1))}, {"x": draw((5, 3)), "y": draw((5, 1))})
    text = "dy = 2 * (out - y)\ndW2 = H.T @ dy\ndx = dy @ W2.T\ndx = dx * (H > 0)\ndW1 = x.T @ dx\ndx = dx @ W1.T"
    found = check_lines(text, ours)
    assert [(line.ok, line.of) for line in found.lines] == [
        (True, "dout"), (True, "dW2"), (True, "dH_in"), (True, "dW1"), (True, "dx")
    ]  # fmt: skip
    for right, wrong in (("2 * (", "("), ("dx * (H > 0)", "dx"), ("dx @ W1.T", "-dx @ W1.T")):
        assert len([line for line in check_lines(text.replace(right, wrong), ours).lines if not line.ok]) == 1


def test_dy_is_no_name_for_a_gradient_with_a_number():
    text = OF_HIDDEN.replace("dout", "dy")
    assert check_lines(text, SUM).ok is True
    assert "dy" not in check_lines(text.replace("X.T @ dH1", "X.T @ (dy @ W2.T)"), SUM).first_wrong.sentence
    assert check_lines("dW1 = X.T @ dy", SUM).ok is None, "what is dy?"


BLAMED = [  # a text, the values that are wrong in it, and what is said of the first
    ("dR = 2 * (R - y)\ndX = dR", RESIDUAL, "dX", ""),
    ("dH = dR @ W2", RESIDUAL, "dH", "these are 3 and 4"),
    ("dY2 = 2 * (y_pred - y)\ndW2 = H1 @ dY2\ndW2 += 0.1 * W2", SUM, "dW2", "it stops"),
    ("dW2 = H1.T @ dy_pred\nW2_next = W2 + lr * dW2", SUM, "W2_new", "a step uphill"),
    ("ds = ((t + 1) / 2 - 1 / (1 + np.exp(-s))) / 5\ndw = X.T @ ds", SIGNED, "ds", "minus what it should be"),
    (IN_COLUMNS.replace("np.tanh(Z1)", "np.tanh(Z1) ** 2"), DEEP_TANH, "H1", ""),
    ("on = (Y1 > 0.1)\ndY1 = dH1 * on", SUM, "dY1", "and should not be; or the mistake is in on of line 1"),
    ("dW2 = np.empty((6, 3))\nnp.matmul(H1.T, 2 * dy_pred, out=dW2)", SUM, "dW2", "twice"),
    ("_dW2 = 3 * H1.T @ dy_pred", SUM, "dW2", "3 times"),
    ("ΔW2 = H1.T @ (dy_pred + 1)", SUM, "dW2", ""),
    ("dW = [None] * 2\ndW[1] = 3 * H1.T @ dy_pred", SUM, "dW2", ""),
    (OF_MEAN.replace("y_pred - y", "y - y_pred"), MEAN, "dy_pred", "minus what it should be"),
    (OF_MEAN.replace("2 * diff", "3 * diff"), MEAN, "dy_pred", "dout is 1.5 times what it should be"),
    (OF_MEAN.replace(" / diff.size", ""), MEAN, "dy_pred", "15 times"),
    ("error = y_pred - y\ndout = 2 * H1[:, :3] / error.size", MEAN, "dy_pred", "dout"),
    (
        (
            "dA = 2 * (A @ X - y) @ X.T\ndS = A * (dA - (A * dA).sum(1, keepdims=True)) * np.sqrt(2)\n"
            "dWq = X.T @ dS @ K\ndWk = X.T @ dS.T @ Q"
        ),
        ATTENTION,
        "dS",
        "twice what it should be",
    ),
    ("pair = (H1, W2)\ndH1 = dy_pred.T @ pair[1] @ pair[1]", SUM, "dH1", "it stops with"),
    ("g = [dy_pred, H1]\ndW2 = g[2].T @ g[0]", SUM, "dW2", "the list has fewer entries than that"),
]


@pytest.mark.parametrize(("text", "problem", "of", "sentence"), BLAMED)
def test_what_is_wrong_in_them_is_wrong_where_it_is_written(text, problem, of, sentence):
    found = check_lines(text, problem)
    assert [line.of for line in found.lines if line.ok is False] == of.split(), found
    assert sentence in found.first_wrong.sentence, found


def test_where_one_line_alone_speaks_for_another_layout_it_says_so():
    alone = check_lines("dH1 = dy_pred @ W2", SUM)
    assert [line.sentence for line in alone.lines] == ["right: dH1, with weights as (outputs, inputs)"]
    both = check_lines("dW2 = dy_pred.T @ H1\ndH1 = dy_pred @ W2", SUM)
    assert [line.sentence for line in both.lines] == ["right: dW2", "right: dH1"]


ROWS_ALONE = [  # wrong lines of what has its samples as rows, which would be right if they were columns
    ("dS = A * (dA - (dA * A).sum(axis=0, keepdims=True)) / np.sqrt(2)", ATTENTION, "dS"),
    ("dU = dN / r - N * (N * dN).sum(axis=0, keepdims=True) / r", UNIT, "dU"),
    ("dg = (dY * N).sum(axis=1)", UNIT, "dg"),
    (("dN1 = dH1 * (H1 > 0)\ndXhat1 = dN1 * gamma1\ndY1 = (dXhat1 - dXhat1.mean(axis=1, keepdims=True) - Xhat1 * "
        "(dXhat1 * Xhat1).mean(axis=1, keepdims=True)) / np.sqrt(var1 + 1e-5)"), NORMED, "dY1"),
    ("dy_pred = 2 * (y_pred - y) / len(y)", MEAN, "dy_pred"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem", "of"), ROWS_ALONE)
def test_a_wrong_line_that_runs_as_it_is_is_not_taken_for_one_with_samples_as_columns(text, problem, of):
    found = check_lines(text, problem)
    assert [line.of for line in found.lines if line.ok is False] == [of], found
    assert "columns" not in str(found)


def test_a_factor_that_lines_after_a_wrong_one_take_off_is_not_held_against_them():
    """1 / sqrt(2) stands in the line of dS, which is wrong, and so in none of the lines after it."""
    text = "dA = 2 * (A @ X - y) @ X.T\ndS = A * (dA - (A * dA).sum(0, keepdims=True)) / np.sqrt(2)\n"
    for rest in (
        "dQ = dS @ K\ndK = dS.T @ Q",
        "dQ = dS @ K\ndWq = X.T @ dQ",
        "dWq = X.T @ dS @ K\ndWk = X.T @ dS.T @ Q",
    ):
        found = check_lines(text + rest, ATTENTION)
        assert [line.of for line in found.lines if line.ok is False] == ["dS"], found
        assert "(dA * A).sum along the other axis" in found.first_wrong.sentence, found
    twice = check_lines(f"{text}dQ = dS @ K\ndK = 2 * dS.T @ Q", ATTENTION)
    assert [line.of for line in twice.lines if line.ok is False] == ["dS", "dQ", "dK"], "nobody knows which is meant"


def test_where_a_line_is_right_on_another_gradient_than_its_own_name_has_the_line_of_that_name_is_wrong():
    text = "dnormed = dY * g\ndU = (dnormed - N * (N * dnormed).sum(1, keepdims=True)) / r"
    assert check_lines(text, UNIT).ok is True
    found = check_lines(text.replace(" * g", ""), UNIT)
    assert [(line.of, line.ok) for line in found.lines] == [("dN", False), ("dU", True)], found
    assert "g, which multiplies or divides" in found.first_wrong.sentence
    used = check_lines("err = dy_pred @ W2.T\ndz = err * (H1 > 0)\ndW1 = X.T @ err", SUM)
    assert [(line.of, line.ok) for line in used.lines] == [("dH1", True), ("dY1", True), ("dW1", False)], used


NOT_READ = [  # wrong lines, what was said of them that they do not have, and what is said
    ("dgamma1 = (dN1 * dN1).sum(axis=0)", NORMED, "dH1", "dN1 used where Xhat1"),
    ("dgamma1 = (dN1 * H1).sum(axis=0)", NORMED, "N1 used where", "(dN1 * H1).sum(axis=0, keepdims=True)`: H1 used"),
    ("dA = np.where(A > 0, dH, 0.01 * dH)", LEAKY, "dA used where", "0.01 used where 0.1 was meant"),
    ("dF = np.broadcast_to(do[:, None], F.shape)", EXPERTS, "`g > 0` used", "all 16 numbers differ"),
]


@pytest.mark.parametrize(("text", "problem", "said", "sentence"), NOT_READ)
def test_no_mistake_is_named_by_what_a_line_does_not_have(text, problem, said, sentence):
    wrong = check_lines(text, problem).first_wrong.sentence
    assert said not in wrong
    assert sentence in wrong


IN_STYLES = [  # what becomes of which line in a style, which value is wrong, and what is said of it
    ("what comes back in one name", "dZ2 @ W2.T", "dZ2 @ W2", "dH1", "it stops with"),
    ("Adam of VdW and SdW", "0.001 * dW1**2", "0.001 * SdW1**2", "vW1_new", "SdW1"),
    ("delta_W2 and gb2", "h.T @ delta_out", "h.T @ (delta_out - 1)", "dW2", ""),
    ("a class", "z > 0", "z < 0", "dY1", "an inverted mask"),
    ("lists from the end", "activations[-3].transpose()", "activations[-2].transpose()", "dW2", "A2 used where A1"),
    ("other dictionaries of gradients", "X.T @ dz", "2 * X.T @ dz", "dW1", "twice what it should be"),
    ("hidden", "(1 - hidden**2)", "(1 - hidden)", "dY1", "which has only part of the slope"),
    ("mask in place", "h <= 0", "h > 0", "dY1", ""),
    ("lists", "1 - activations[2] ** 2", "1 - activations[2]", "dY2", "which has only part of the slope"),
    ("helpers", "a * (1 - a)", "a * (1 + a)", "dY1", "a `+` where `-` was meant"),
    ("helpers that give several", "Z <= 0", "Z < 0", "", ""),
    ("helpers that give several", "dZ.sum(axis=0)", "dZ.mean(axis=0)", "db2 db1", "1/5 of what it should be"),
    ("collected", "'w1': dW1", "'w1': dW2", "dW1", "has shape (6, 3), and should have (4, 6)"),
    ("Greek", "1 - A2**2", "1 - A2", "dY2", "which has only part of the slope"),
    ("Greek", "(A3 - y) / 5", "A3 - y", "dY3", "5 times what it should be"),
    ("float32", "h > 0", "h < 0", "dY1", "All your numbers are 0"),
    ("g_", "h.T @ g_out", "z1.T @ g_out", "dW2", "z1 used where H1 was meant"),
    ("g_", "g_out.sum(0)", "(2 * g_out).sum(0)", "db2", "twice"),
    ("states in dictionaries", "lr * v['dW1']", "lr * grads['dW1']", "W1_new", "that is the step of another optimizer"),
    ("Adam of a class", "0.001 * dW1**2", "0.01 * dW1**2", "vW1_new", ""),
    ("batch norm", "dbn * gamma", "dbn", "dXhat1", ""),
]


@pytest.mark.parametrize(("style", "right", "wrong", "of", "sentence"), IN_STYLES)
def test_a_mistake_in_any_style_is_found_in_its_line(style, right, wrong, of, sentence):
    text, problem, _ = STYLES[style]
    assert right in text
    found = check_lines(text.replace(right, wrong), problem)
    assert [line.of for line in found.lines if line.ok is not True] == of.split(), found
    assert not of or sentence in found.first_wrong.sentence, found


def test_a_line_that_is_made_of_what_cannot_be_told_is_not_called_wrong():
    found = check_lines("dh1 = dy_pred @ W2.T * keep / (1 - p)\ndz1 = dh1 * (h1 > 0)\ndW1 = X.T @ dz1", DROPPED)
    assert [line.ok for line in found.lines] == [None, None, True], found
    assert found.lines[0].sentence == found.lines[1].sentence
    lists = check_lines("ds = [None] * 2\nds[1] = quite(y_pred)\ndb2 = ds[1].sum(0)", SOFTMAX)
    assert lists.ok is None, lists
    assert check_lines("W1 = W1.copy()\nW2 = np.array(W2)", SOFTMAX).lines == (), "no update"


TWICE = program(
    "h1 = np.tanh(x1 @ Wx + h0 @ Wh)\nh2 = np.tanh(x2 @ Wx + h1 @ Wh)\nL = np.sum((h2 - y)**2)",
    {"Wx": DRAWN((3, 3)), "Wh": DRAWN((3, 3))},
    {"x1": DRAWN((4, 3)), "x2": DRAWN((4, 3)), "h0": DRAWN((4, 3)), "y": DRAWN((4, 3))},
)
AROUND = program(
    "H = np.maximum(X @ W1, 0)\nR = X + H @ W2\nL = np.sum((R - y)**2)",
    {"W1": DRAWN((3, 4)), "W2": DRAWN((4, 3))},
    {"X": DRAWN((5, 3)), "y": DRAWN((5, 3))},
    gradients=["X"],
)
SHARED = [  # a text in which one array has two names, what cannot be told, and what is said of the first
    (
        (
            "dWx = dWh = np.zeros((3, 3))\ndWx += x2.T @ dh2_in\ndWh += h1.T @ dh2_in\n"
            "dWx += x1.T @ dh1_in\ndWh += h0.T @ dh1_in"
        ),
        TWICE,
        "dWh dWx",
        "line 2, `dWx += x2.T @ dh2_in`, changes dWh too: since line 1, dWx and dWh are one array",
    ),
    (
        "dWx = dWh = np.zeros((3, 3))\ndWx += x2.T @ dh2_in + x1.T @ dh1_in\ndWh += h1.T @ dh2_in + h0.T @ dh1_in",
        TWICE,
        "dWx dWh",
        "changes dWx too: since line 1, dWh and dWx are one array",
    ),
    (
        "dX = dR\ndH = dR @ W2.T\ndH[H <= 0] = 0\ndX += dH @ W1.T\ndW1 = X.T @ dH\ndW2 = H.T @ dR",
        AROUND,
        "dW2",
        "line 4, `dX += dH @ W1.T`, changes dR too: since line 1, dX and dR are one array. There, write dR.copy()",
    ),
    (
        "W2_old = W2\nW2 -= lr * dW2\ndY1 = dY2 @ W2_old.T * (H1 > 0)\ndW1 = X.T @ dY1",
        SOFTMAX,
        "dY1",
        "line 2, `W2 -= lr * dW2`, changes W2_old too: since line 1, W2 and W2_old are one array",
    ),
    ("v = dY2.T\nv *= 3\ndW2 = H1.T @ dY2", SOFTMAX, "dW2", "v and dY2 are one array"),
    ("v = dY2\nv -= y\nv *= 3\ndW2 = H1.T @ dY2", SOFTMAX, "dW2", "line 2, `v -= y`, changes dY2 too"),
    ("v = dY2[1:]\nv *= 3\ndW2 = H1.T @ dY2", SOFTMAX, "dW2", "v and dY2 are one array"),
    ("v = dY2.reshape(-1)\nv *= 3\nu = 2 * dY2\ndW2 = H1.T @ u / 2", SOFTMAX, "dW2", "v and dY2 are one array"),
    ("vW1 = dW1\nvW1 *= 0.9\nW1 -= lr * dW1", SOFTMAX, "W1_new", "changes dW1 too"),
    ("dY1 = dH1\ndY1[H1 <= 0] = 0\ndW1 = X.T @ dH1", SOFTMAX, "dW1", "There, write dH1.copy()"),
    (
        "def back(d):\n    d[H1 <= 0] = 0\n    return d\ndZ1 = back(dH1)\ndW1 = X.T @ dH1",
        SOFTMAX,
        "dW1",
        "line 4, `dZ1 = back(dH1)`, changes dH1 too: give it dH1.copy()",
    ),
]


@pytest.mark.parametrize(("text", "problem", "of", "sentence"), SHARED)
def test_where_a_line_changes_another_name_of_its_array_what_is_made_of_that_is_not_judged(text, problem, of, sentence):
    found = check_lines(text, problem)
    assert " ".join(line.of for line in found.lines if not line.ok) == of, found
    assert all(line.ok is None for line in found.lines if not line.ok), found
    assert sentence in next(line.sentence for line in found.lines if not line.ok), found


UPDATES = "W2_new W1_new"
RENAMED = [  # an update by other names, of what it is judged to be, and whether it is right
    ("w = W2\nw -= lr * dW2\nw = W1\nw -= lr * dW1", UPDATES, True),
    ("w, dw = W2, dW2\nw -= lr * dw\nw, dw = W1, dW1\nw -= lr * dw", "dW2 W2_new dW1 W1_new", True),
    ("w = W2 - lr * dW2\nW2 = w\nw = W1 - lr * dW1\nW1 = w", UPDATES, True),
    ("w = W2\ng = dW2\nw = w - lr * g\nW2 = w\nw = W1\ng = dW1\nw = w - lr * g\nW1 = w", "dW2 W2_new dW1 W1_new", True),
    ("p = W2\np -= lr * dW2\nW2 = p\np = W1\np[:] = p - lr * dW1", UPDATES, True),
    ("w = W2\nw += lr * dW2\nw = W1\nw -= lr * dW1", UPDATES, False),
    ("p = W2\np += lr * dW2\np = W1\np -= lr * dW1", UPDATES, False),
    ("w = W2\nw -= lr * dW1.T @ dW1 @ dW2\nw = W1\nw -= lr * dW1", UPDATES, False),
]


@pytest.mark.parametrize(("text", "of", "is_right"), RENAMED)
def test_an_update_by_another_name_is_that_of_the_parameter_with_this_array(text, of, is_right):
    of, problem = f"dW2 dW1 {of}".split(), random_problem(1, 4, 3, 3, 2)
    found = check_lines(f"dW2 = H1.T @ dy_pred\ndW1 = X.T @ dY1\n{text}", problem)
    assert [line.of for line in found.lines] == of, found
    assert [line.of for line in found.lines if not line.ok] == ([] if is_right else ["W2_new"]), found


@pytest.mark.parametrize(
    "text",
    [
        "dY1 = dH1\ndY1[H1 <= 0] = 0\ndW1 = X.T @ dY1",  # dH1 is not read again
        "dY1 = dH1.copy()\ndY1[H1 <= 0] = 0\nback = dH1 * (H1 > 0)\ndW1 = X.T @ back",
        "dY1 = dH1\ndY1 = dY1 * (H1 > 0)\nback = dH1 * (H1 > 0)\ndW1 = X.T @ back",  # a new array
        "dH1 = dY2 @ W2.T\ndY1 = dH1\ndY1[H1 <= 0] = 0\ndH1 = dY2 @ W2.T\ndW1 = X.T @ (dH1 * (H1 > 0))",  # anew
        "scale = m = 5\nm *= 2\ndW2 = H1.T @ dY2 * scale / 5",  # numbers
        "both = np.hstack((dY2, dY2))\nleft = both[:, :3]\nright = both[:, 3:]\nright *= 0\ndW2 = H1.T @ left",
    ],
)
def test_names_of_one_array_are_no_matter_where_only_one_of_them_is_used_after_a_change(text):
    found = check_lines(text, SOFTMAX)
    assert found.ok, found


ALONG = program(
    "h = np.tanh(X @ W1)\nout = h @ W2\nL = np.sum((out - y)**2)",
    {"W1": DRAWN((4, 6)), "W2": DRAWN((6, 3))},
    {"X": DRAWN((5, 4)), "y": DRAWN((5, 3))},
)
ONE_LAYER = program(
    "H = x @ W + b\nout = np.maximum(H, 0)\nL = np.sum(out * dout)",
    {"W": DRAWN((3, 2)), "b": DRAWN((1, 2))},
    {"x": DRAWN((4, 3)), "dout": DRAWN((4, 2))},
    gradients=["x"],
)
STANDARDISED = program(
    "mu = X.mean(axis=0)\nxc = X - mu\nvar = (xc**2).mean(axis=0)\ninv = 1 / np.sqrt(var + 1e-5)\nxhat = xc * inv\n"
    "out = gamma * xhat\nL = np.sum(out * dout)",
    {"gamma": np.ones(3)},
    {"X": DRAWN((6, 3)), "dout": DRAWN((6, 3))},
    gradients=["X"],
)
UNROLLED = program(
    "h1 = np.tanh(x1 @ Wx + h0 @ Wh)\nh2 = np.tanh(x2 @ Wx + h1 @ Wh)\np1 = h1 @ Wy\np2 = h2 @ Wy\n"
    "L = np.sum((p1 - t1)**2) / 2 + np.sum((p2 - t2)**2) / 2",
    {"Wx": DRAWN((3, 4)), "Wh": DRAWN((4, 4)), "Wy": DRAWN((4, 2))},
    {"x1": DRAWN((5, 3)), "x2": DRAWN((5, 3)), "h0": DRAWN((5, 4)), "t1": DRAWN((5, 2)), "t2": DRAWN((5, 2))},
)
THROUGH_TIME = (
    "dWx, dWh, dWy, dnext = 0, 0, 0, 0\nfor x, hp, h, p, t in [(x2, h1, h2, p2, t2), (x1, h0, h1, p1, t1)]:\n"
    "    e = p - t\n    dWy += h.T @ e\n    dz = (e @ Wy.T + dnext) * (1 - h**2)\n    dWx += x.T @ dz\n"
    "    dWh += hp.T @ dz\n    dnext = dz @ Wh.T"
)
LEAKY_UNITS, WITH_VELOCITY = (
    random_problem(1, samples=5, activation=LeakyReLU()),
    trace(random_problem(1, 5, optimizer=Momentum(0.9))).next_problem(),
)
RELU_ALONE, PENALISED, TANH = (
    random_problem(1),
    random_problem(1, penalty=L2(0.1)),
    random_problem(1, samples=5, activation=Tanh()),
)
HALF_DROPPED = Problem(
    Network([Linear(DRAWN((4, 6)), DRAWN((1, 6))), ReLU(), Dropout(0.5, seed=1), Linear(DRAWN((6, 3)), DRAWN((1, 3)))]),
    SumSquaredError(),
    DRAWN((5, 4)),
    DRAWN((5, 3)),
    lr=0.01,
)
OF_A_MASK = "D1 = H1 * mask\ndY2 = 2 * (D1 @ W2 + b2 - y)\ndW2 = D1.T @ dY2\ndD1 = dY2 @ W2.T\ndH1 = dD1 * mask"
SCALED_MASK = program(
    "H = x @ W\nL = np.sum(H * M * dout)",
    {"W": DRAWN((3, 2))},
    {"x": DRAWN((4, 3)), "M": (np.arange(8).reshape(4, 2) % 3 > 0) * 2.0, "dout": DRAWN((4, 2))},
)
SEVERAL_MEANINGS = {  # right lines with a name that means another thing than usual, and a change that makes one wrong
    "a gradient that goes on": (
        "dout = 2 * (out - y)\ndW2 = h.T @ dout\ndout = (dout @ W2.T) * (1 - h**2)\ndW1 = X.T @ dout",
        ALONG,
        ("* (1 - h**2)", "* (1 - h)"),
    ),
    "a gradient that is given": (
        "dout = dout * (out > 0)\ndW = x.T @ dout\ndb = dout.sum(axis=0)\ndx = dout @ W.T",
        ONE_LAYER,
        ("dout @ W.T", "dout * 2 @ W.T"),
    ),
    "alpha is no rate": (
        "alpha = 0.01\nd2 = 2 * (y_pred - y)\nd1 = (d2 @ W2.T) * np.where(Y1 > 0, 1, alpha)\ndW1 = X.T @ d1",
        LEAKY_UNITS,
        ("alpha = 0.01", "alpha = 0.3"),
    ),
    "alpha and eta are no rates": (
        (
            "alpha, eta = 0.01, 3\nalpha = 0.01\neta = 2\nd2 = eta * (y_pred - y)\ndH1 = d2 @ W2.T\n"
            "d1 = dH1 * np.where(Y1 > 0, 1, alpha)\ndW1 = X.T @ d1"
        ),
        LEAKY_UNITS,
        ("alpha = 0.01\neta", "alpha = 0.3\neta"),
    ),
    "a mask of a program": (
        "M = (np.random.rand(4, 2) < 0.5) / 0.5\ndH = dout * M\ndW = x.T @ dH",
        SCALED_MASK,
        ("dH = dout * M", "dH = dout * (M > 0)"),
    ),
    "alpha is beta": (
        "alpha = 0.9\ndW2 = H1.T @ (2 * (y_pred - y))\nvW2 = alpha * vW2 + dW2\nW2 = W2 - lr * vW2",
        WITH_VELOCITY,
        ("alpha = 0.9", "alpha = 0.8"),
    ),
    "alpha is the rate": (
        "alpha = 0.5\ndW2 = H1.T @ dy_pred\nW2 = W2 - alpha * dW2",
        TANH,
        ("W2 - alpha", "W2 + alpha"),
    ),
    "m is beta": (
        "m = 0.9\ndW2 = H1.T @ (2 * (y_pred - y))\nvW2 = m * vW2 + dW2\nW2 = W2 - lr * vW2",
        WITH_VELOCITY,
        ("m * vW2 + dW2", "m * vW2 - dW2"),
    ),
    "a penalty under a second name": (
        "grad_W2 = H1.T @ (2 * (y_pred - y))\ndW2 = grad_W2 + 0.2 * W2",
        PENALISED,
        ("+ 0.2", "+ 0.1"),
    ),
    "deltas from the output": (
        "delta1 = 2 * (y_pred - y)\ndW2 = H1.T @ delta1\ndelta2 = (delta1 @ W2.T) * (1 - H1**2)\ndW1 = X.T @ delta2",
        TANH,
        ("(1 - H1**2)", "(1 - H1)"),
    ),
    "a slope that is called a gradient": (
        "dZ2 = 2 * (y_pred - y)\ndA1 = 1 - H1**2\ndZ1 = (dZ2 @ W2.T) * dA1\ndW1 = X.T @ dZ1",
        TANH,
        ("dA1 = 1 - H1**2", "dA1 = 1 + H1**2"),
    ),
    "what the last turn hands on": (THROUGH_TIME, UNROLLED, ("dz @ Wh.T", "dz @ Wh")),
    "the type of truth values": (
        "dH1 = dy_pred @ W2.T\ndY1 = dH1 * (Y1 > 0).astype(bool)",
        LEAKY_NO := random_problem(1),
        ("dH1 * (", "dy_pred @ W2.T * ~("),
    ),
    "a mask of their own, divided where it is drawn": (
        f"mask = (np.random.rand(*H1.shape) < 0.5) / 0.5\n{OF_A_MASK}",
        HALF_DROPPED,
        ("< 0.5) / 0.5", "< 0.5)"),
    ),
    "a rate of dropping": (
        f"rate = 0.5\nkeep = 1 - rate\nmask = (np.random.rand(*H1.shape) < keep) / keep\n{OF_A_MASK}",
        HALF_DROPPED,
        (") / keep", ")"),
    ),
    "data that are drawn": (
        "x = np.random.randn(4, 2)\ndx = dout * (x > 0)",
        program(
            "L = np.sum(np.maximum(x, 0) * dout)", {}, {"x": DRAWN((4, 2)), "dout": DRAWN((4, 2))}, gradients=["x"]
        ),
        ("* (x > 0)", "* (x > 0.5)"),
    ),
    "a mask of 0s and 1s": (
        f"mask = np.random.binomial(1, 0.5, size=H1.shape) / 0.5\n{OF_A_MASK}",
        HALF_DROPPED,
        ("dD1 * mask", "dD1"),
    ),
    "a mask in two lines": (
        (
            "A1 = np.maximum(X @ W1 + b1, 0)\nD1 = np.random.rand(A1.shape[0], A1.shape[1])\n"
            "D1 = (D1 < 0.5).astype(int)\nA1 = A1 * D1\nA1 = A1 / 0.5\ndZ2 = 2 * (A1 @ W2 + b2 - y)\n"
            "dW2 = A1.T @ dZ2\ndA1 = dZ2 @ W2.T\ndA1 = dA1 * D1\ndA1 = dA1 / 0.5"
        ),
        HALF_DROPPED,
        ("dA1 = dA1 / 0.5", "dA1 = dA1 * 0.5"),
    ),
    "a mask of another name": (
        (
            "p = 0.5\nH1 = np.maximum(0, X @ W1 + b1)\nU1 = (np.random.rand(*H1.shape) < p) / p\nH1 *= U1\n"
            "out = H1 @ W2 + b2\ndout = 2 * (out - y)\ndW2 = H1.T @ dout\ndb2 = dout.sum(0)\ndH1 = dout @ W2.T\n"
            "dH1 *= U1\ndH1[H1 <= 0] = 0\ndW1 = X.T @ dH1"
        ),
        HALF_DROPPED,
        ("dH1 *= U1\n", ""),
    ),
    "x for X": (
        "dx = gamma * inv * (dout - dout.mean(axis=0) - xhat * (xhat * dout).mean(axis=0))",
        STANDARDISED,
        ("- dout.mean(axis=0) ", ""),
    ),
}


def test_one_taken_off_whole_columns_is_told_where_it_is_done():
    lines = (
        "h = np.maximum(X @ W1, 0)\nscores = h @ W2\n"
        "probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)\n"
        "loss = -np.log(probs[np.arange(len(y)), y]).mean()"
    )
    parameters = {"W1": DRAWN((4, 6)), "W2": DRAWN((6, 3))}
    p = program(lines, parameters, {"X": DRAWN((5, 4)), "y": np.array([0, 2, 1, 1, 0])})
    text = "p = np.exp(scores)\np = p / p.sum(axis=1, keepdims=True)\np[:, y] -= 1\np /= len(y)\ndW2 = h.T @ p"
    assert "line 3, `p[:, y] -= 1`, changes whole columns" in check_lines(text, p).first_wrong.sentence
    right = text.replace("p[:, y]", "p[np.arange(len(y)), y]")
    assert check_lines(right, p).ok
    assert "columns" not in str(check_lines(right.replace("h.T @ p", "h.T @ p / 2"), p))


def test_whole_columns_are_told_once_and_not_of_the_lines_after_them():
    lines = (
        "h = np.maximum(X @ W1, 0)\nscores = h @ W2 + b2\n"
        "probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)\n"
        "loss = -np.log(probs[np.arange(len(y)), y]).mean()"
    )
    parameters = {"W1": DRAWN((4, 6)), "W2": DRAWN((6, 3)), "b2": DRAWN((3,))}
    p = program(lines, parameters, {"X": DRAWN((5, 4)), "y": np.array([0, 2, 1, 1, 0])})
    text = (
        "dscores = probs.copy()\ndscores[:, y] -= 1\ndscores /= len(y)\n"
        "dW2 = h.T @ dscores\ndb2 = 2 * dscores.sum(0)\ndh = dscores @ W2.T\ndW1 = X.T @ (dh * h)"
    )
    wrong = [each for each in check_lines(text, p).lines if each.ok is False]
    assert [each.of for each in wrong] == ["dscores", "db2", "dW1"]
    assert ["columns" in each.sentence for each in wrong] == [True, False, False]


def test_a_slope_is_a_part_where_a_run_has_diverged_and_it_is_0_everywhere():
    t = trace(random_problem(1, samples=4, activation=Tanh(), lr=5))
    for _ in range(60):
        t = trace(t.next_problem())
    assert not np.any(1 - t["H1"] ** 2)
    text = "dZ2 = 2 * (y_pred - y)\ndA1 = 1 - H1**2\ndZ1 = (dZ2 @ W2.T) * dA1\ndW1 = X.T @ dZ1"
    assert check_lines(text, t.problem).ok


@pytest.mark.parametrize(("text", "problem", "change"), SEVERAL_MEANINGS.values(), ids=SEVERAL_MEANINGS)
def test_a_name_may_mean_another_thing_than_usual_and_a_mistake_beside_it_is_seen(text, problem, change):
    found = check_lines(text, problem)
    assert found.ok, found
    assert change[0] in text
    wrong = check_lines(text.replace(*change), problem)
    assert wrong.ok is False, wrong


IN_ANOTHER_COURSE = random_problem(0, 6, 2, 4, 3, lr=0.1)  # no two of its sizes are the same
COUNTED = program(
    "counts = np.exp(X @ W)\nprobs = counts / counts.sum(1, keepdims=True)\n"
    "loss = -np.log(probs[np.arange(len(X)), Y]).sum() / n",
    {"W": DRAWN((3, 3))},
    {"X": DRAWN((6, 3)), "Y": np.array([0, 1, 2, 1, 0, 2]), "n": 6},
)
IN_COLUMNS = program(
    "Z = W @ X + b\nJ = np.sum((Z - Y)**2) / (2 * X.shape[1])",
    {"W": DRAWN((2, 3)), "b": DRAWN((2, 1))},
    {"X": DRAWN((3, 6)), "Y": DRAWN((2, 6))},
)
DROPPING = Problem(
    Network([Linear(DRAWN((3, 4)), DRAWN((1, 4))), ReLU(), Dropout(0.2), Linear(DRAWN((4, 2)), DRAWN((1, 2)))]),
    MeanSquaredError(), DRAWN((6, 3)), DRAWN((6, 2)), 0.1,
)  # fmt: skip
JUDGED = {  # what is wrong, or cannot be told, and a part of what is said
    "a transpose that no layout lets one leave out": (
        ("dout = 2*(y_pred - y)\nG = dout @ W2\nD = G * (H1 > 0)\ndW1 = X.T @ D\ndb1 = D.sum(0)\n"
         "dW2 = H1.T @ dout\ndb2 = dout.sum(0)"),
        IN_ANOTHER_COURSE, [2], "the first matrix needs as many columns as the second has rows",
    ),
    "the same with an update": (
        ("dvalues = 2*(y_pred - y)\ndweights2 = np.dot(H1.T, dvalues)\ndinputs2 = np.dot(dvalues, W2)\n"
         "drelu = dinputs2.copy()\ndrelu[H1 <= 0] = 0\ndweights1 = np.dot(X.T, drelu)\nW1 += -lr * dweights1"),
        IN_ANOTHER_COURSE, [3], "the first matrix needs as many columns as the second has rows",
    ),
    "a transpose that the update does not have": (
        "dY2 = 2*(y_pred - y)\ndW2 = dY2.T @ H1\nW2 -= lr * dW2\ndW1 = X.T @ dY1\nW1 -= lr * dW1",
        IN_ANOTHER_COURSE, [2],
        "dW2 is transposed, and the update takes it as it is: its shape is (3, 4), and should be (4, 3)",
    ),
    "a bias by the name that nnfs has for it": (
        "dout = 2*(y_pred - y)\ndW2 = H1.T @ dout\ndbiases2 = dout.sum(1)", IN_ANOTHER_COURSE, [3], "sum along the rows"
    ),
    "a whole number among the data": (
        "dlogits = probs.copy()\ndlogits[range(n), Y] -= 1\ndlogits /= n\ndW = X.T @ dlogits", COUNTED, [], "right: dW"
    ),
    "a 2 too many where samples are columns": (
        "m = X.shape[1]\ndZ = 2 * (Z - Y) / m\ndW = dZ @ X.T", IN_COLUMNS, [2], "wrong: dZ is twice what it should be\n"
    ),
    "a deep copy": (
        "import copy\nW2 = copy.deepcopy(W2)\ndout = 2*(y_pred - y)\ndW2 = H1.T @ dout\nW2 = W2 + lr * dW2",
        IN_ANOTHER_COURSE, [5], "uphill",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "problem", "wrong", "said"), JUDGED.values(), ids=JUDGED)
def test_only_the_line_with_the_mistake_is_wrong_in_courses_that_name_things_otherwise(text, problem, wrong, said):
    found = check_lines(text, problem)
    assert [line.lines[-1] for line in found.lines if line.ok is not True] == wrong, found
    assert said in f"{found}\n"


OF_ANY_NAME = """
{0} = 2 * (y_pred - y) / y.size
dW2 = H1.T @ {0}
db2 = {0}.sum(axis=0)
{1} = {0} @ W2.T
{2} = {1} * (Y1 > 0)
dW1 = X.T @ {2}
db1 = {2}.sum(axis=0)"""
OF_ANY_PARAMETER = """
e = 2 * (y_pred - y) / y.size
{0} = H1.T @ e
{1} = e.sum(axis=0)
f = e @ W2.T
g = f * (Y1 > 0)
{2} = X.T @ g
{3} = g.sum(axis=0)
W1 -= lr * {2}
b1 -= lr * {3}
W2 -= lr * {0}
b2 -= lr * {1}"""
ANY_NAMES = (
    "e f g",
    "q3 q2 q1",
    "tmp tmp2 tmp3",
    "a c d",
    "one two three",
    "out hid inp",
    "r s t",
    "back3 back2 back1",
)
ANY_MISTAKES = [  # what is right, what stands there by mistake, in which line, and what is said
    ("", "", None, ""),
    ("2 * (", "(", 1, "is half of what it should be"),
    ("y_pred - y", "y - y_pred", 1, "is minus what it should be"),
    ("@ W2.T", "@ W2.T * 3", 4, "is 3 times what it should be"),
    ("Y1 > 0", "Y1 < 0", 5, "with an inverted mask"),
    ("(Y1 > 0)", "Y1", 5, "a product with the value itself"),
    ("* (Y1", "+ (Y1", 5, "a `+` where `*` was meant"),
    (" * (Y1 > 0)", "", 5, "the ReLU's mask is missing"),
]
OF_A_PARAMETER = [
    ("", "", None, ""),
    ("2 * (", "(", 1, "e is half of what it should be"),
    ("H1.T @ e", "H1.T @ e / 5", 2, "is 1/5 of what it should be"),
    ("g.sum(", "g.mean(", 7, "is 1/5 of what it should be"),
    ("Y1 > 0", "Y1 < 0", 5, "with an inverted mask"),
    ("W1 -=", "W1 +=", 8, "a step uphill"),
    ("W2 -= lr", "W2 -= 2 * lr", 10, "Your step is twice as long"),
]
A_SLIP = ("X.T @ g", "X.T @ f", 6, "looks like f used where g was meant")  # with `w = X.T @ f`, f may be what is wrong
IN_ANY_NAMES = [
    *((OF_ANY_NAME, names, each) for names in ANY_NAMES for each in ANY_MISTAKES),
    *((OF_ANY_PARAMETER, names, each) for names in ("p q r s", "change2 shift2 change1 shift1", "w2 b w c")
        for each in OF_A_PARAMETER),
    *((OF_ANY_PARAMETER, names, A_SLIP) for names in ("p q r s", "change2 shift2 change1 shift1")),
]  # fmt: skip


@pytest.mark.parametrize(("text", "names", "mistake"), IN_ANY_NAMES)
def test_a_gradient_of_any_name_is_judged_and_its_mistake_blamed_on_its_line_alone(text, names, mistake):
    right, wrong, at, said = mistake
    lines = text.strip().replace(right, wrong).format(*names.split())
    found = check_lines(lines, MEAN_OF_ALL)
    assert [line.lines for line in found.lines] == [(each,) for each in range(1, len(lines.splitlines()) + 1)], found
    assert [line.lines[0] for line in found.lines if line.ok is not True] == [at] * bool(at), found
    assert said in f"{found}"


def test_each_of_two_mistakes_in_gradients_of_any_name_is_blamed_on_its_line_alone():
    text = OF_ANY_NAME.strip().format("e", "f", "g")
    found = check_lines(text.replace("2 * (", "(").replace("Y1 > 0", "Y1 < 0"), MEAN_OF_ALL)
    wrong = [line for line in found.lines if line.ok is False]
    assert [line.lines for line in wrong] == [(1,), (5,)], found
    assert "e is half of what it should be" in wrong[0].sentence, found
    assert "with an inverted mask" in wrong[1].sentence, found


def test_what_is_made_of_gradients_under_a_name_of_ones_own_is_never_wrong_where_all_gradients_are_right():
    lines = OF_ANY_NAME.strip().format("e", "f", "g").splitlines()
    for own in ("k = 3 * g", "k = g / 100", "k = lr * g", "k = -g", "k = g * 0", "k = g ** 2", "k = e + y_pred"):
        found = check_lines("\n".join((*lines[:5], own, *lines[5:])), MEAN_OF_ALL)
        assert found.ok, found
        assert {*range(1, 6), 7, 8} <= {line.lines[0] for line in found.lines}, found


def test_behind_a_mask_of_an_unknown_rate_nothing_is_said_to_be_wrong():
    text = """
        H1 = np.maximum(0, np.dot(X, W1) + b1)
        U1 = (np.random.rand(*H1.shape) < p) / p
        H1 *= U1
        out = np.dot(H1, W2) + b2
        dout = 2 * (out - y) / y.size
        dW2 = H1.T @ dout
        dH1 = dout @ W2.T
        dH1 *= U1
        dH1[H1 <= 0] = 0
        dW1 = X.T @ dH1
    """
    found = check_lines(text, DROPPING)
    assert {line.ok for line in found.lines} == {None}
    assert all("what is p? Say it, as in names={'p': 0.8}" in line.sentence for line in found.lines)
    assert check_lines(text, DROPPING, {"p": 0.8}).ok


def test_a_deep_copy_of_nothing_and_an_endless_number_among_the_data_stop_nothing():
    assert check_lines("w = copy.deepcopy()\ndW2 = 2 * H1.T @ (y_pred - y)", IN_ANOTHER_COURSE).lines[-1].ok
    p = program(
        "h = X @ W\nL = np.sum(np.minimum(h, most)**2)", {"W": DRAWN((3, 2))}, {"X": DRAWN((4, 3)), "most": 1e300}
    )
    assert check_lines("dh = 2 * np.minimum(h, most) * (h < most)\ndW = X.T @ dh", p).ok


def test_where_a_line_gives_nothing_that_is_known_the_gradients_are_said_to_be_missing():
    found = check_lines("dout = 2*(y_pred - y)\nW2_g = 3 * X.T @ dout", IN_ANOTHER_COURSE)
    assert found.missing == ("dW2", "db2", "dW1", "db1")
    assert check_lines("dout = 2*(y_pred - y)", IN_ANOTHER_COURSE).missing == ()


LOOPS_OVER_SAMPLES = (
    "for k in range(X.shape[0]):\n    for j in range(X.shape[1]):\n        dC[X[k, j]] += demb[k, j]",
    "m, n = X.shape\nfor i in range(m):\n    e = X[i] @ w - y[i]\n    for j in range(n):\n        dw[j] += e * X[i, j]",
)


@pytest.mark.parametrize("loop", LOOPS_OVER_SAMPLES)
def test_of_a_loop_over_samples_nobody_is_asked_what_its_lists_hold(loop):
    with pytest.raises(ValueError, match="is a for") as told:
        check_lines(loop, IN_ANOTHER_COURSE)
    assert "names=" not in str(told.value)


BEFORE_A_STEP = "dy_pred = 2 * (y_pred - y)\ndH1 = dy_pred @ W2.T\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("W1 -= lr * X.T @ dH1", "dY1 looks like dH1: the ReLU's mask is missing"),
        ("W1 -= lr * X.T @ (dH1 * H1 > 0)", "the parentheses around the comparison are missing"),
        ("b1 -= lr * (dH1 * H1).sum(axis=0)", "`dH1 * H1`, a product with the value itself, where the mask"),
        ("W1 -= lr * X.T @ (2 * (y_pred - y) @ W2.T * H1)", "a product with the value itself, where the mask"),
        ("b2 -= lr * np.sum(y_pred - y)", "should be"),
        ("dW1 = X.T @ ((2 * (y_pred - y) @ W2.T) * H1)", "a product with the value itself, where the mask"),
        ("dW1 = X.T @ (dH1 * H1 > 0)", "the parentheses around the comparison are missing"),
        ("dW1 = X.T @ (2 * (y_pred - y) @ W2.T)", "dH1 used where dY1 was meant: it has not been back"),
        ("W1 -= lr * (X.T @ (2 * (y_pred - y) @ W2.T * (H1 < 0)))", "it has not been updated"),
        ("W1 += lr * (X.T @ (2 * (y - y_pred) @ W2.T * (H1 < 0)))", "it has not been updated"),
    ],
)
def test_a_mistake_within_a_longer_line_is_told_of_a_step_as_well(line, words):
    found = check_lines(BEFORE_A_STEP + line, worked_example()).first_wrong
    assert (found.lines, words in found.sentence) == ((3,), True), found


def test_of_a_step_without_the_slope_of_the_output_that_slope_is_said_to_be_missing():
    lines = "l1 = 1 / (1 + np.exp(-X @ syn0))\nl2 = 1 / (1 + np.exp(-l1 @ syn1))\nL = np.sum((y - l2)**2) / 2"
    X = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    data, parameters = {"X": X, "y": X[:, :1] ^ X[:, 1:2]}, {"syn0": DRAWN((3, 4)), "syn1": DRAWN((4, 1))}
    back = "l2_delta = y - l2\nl1_error = l2_delta.dot(syn1.T)\nl1_delta = l1_error * (l1 * (1 - l1))\n"
    update = "syn1 += l1.T.dot(l2_delta)\nsyn0 += X.T.dot(l1_delta)"
    found = check_lines(back + update, program(lines, parameters, data, lr=1.0))
    assert "the slope of the function that gives l2 is missing" in found.first_wrong.sentence, found


@pytest.mark.parametrize("lr", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("factor", ["", "* 1.01", "/ 2", "* 1.0001"])
def test_a_step_of_another_length_is_wrong_however_small_the_steps_are(lr, factor):
    p = worked_example().evolve(lr=lr)
    for step in ("W2 = W2 - lr * dW2", "W2 -= dW2 * lr", "W2 = -(lr * dW2 - W2)"):
        line = check_lines(f"dW2 = 2 * H1.T @ (y_pred - y)\n{step.replace('dW2', f'dW2 {factor}')}", p).lines[-1]
        assert (line.of, line.ok) == ("W2_new", not factor), line
        assert not factor or line.sentence.startswith("wrong: W2["), line


def test_a_decay_that_nobody_asked_for_is_no_factor_of_the_new_weights():
    found = check_lines("dW2 = 2 * H1.T @ (y_pred - y)\nW2 -= lr * (dW2 + W2)", worked_example())
    assert "W2[0, 0] should be" in found.first_wrong.sentence
    no_step = check_lines(f"{BEFORE_A_STEP}W1 -= lr * X.T @ (dH1 * (H1 < 0))", worked_example()).first_wrong
    assert "it has not been updated" in no_step.sentence


def in_one_line(t, name, wrong):
    """The line of a gradient in which those before it are written out, with another line in place of one of them."""
    inner = {step.name for step in t.steps if step.role == "gradient"} - {f"d{p}" for p in t.problem.parameters}
    code = wrong.get(name) or t.step(name).code
    return re.sub(r"\w+", lambda w: f"({in_one_line(t, w[0], wrong)})" if w[0] in inner - {name} else w[0], code)


@pytest.mark.parametrize("activation", [ReLU(), Tanh(), Sigmoid()])
def test_in_a_gradient_of_one_line_the_part_that_is_named_is_the_one_with_the_mistake(activation):
    t = trace(random_problem(2, activation=activation))
    told = {"named": 0, "only pointed at": 0}
    for mistake in PLANTED.values():
        for place in {"dy_pred", "dH1", "dY1"} & {*mistake.possible_at(t)}:
            line = in_one_line(t, "dW1", {place: mistake.wrong_lines(t, place)[0]}).replace(".mT", ".T")
            if not np.allclose(t.evaluate(line), t["dW1"]):
                found = check_lines(f"dW1 = {line}", t.problem).first_wrong
                named = re.search("what it takes for (\\w+) looks like", found.sentence)
                assert not named or named[1] == place, (mistake.name, place, found)
                told["named" if named else "only pointed at"] += 1
    print(f"mistakes within one line, with {activation}: {told}")  # noqa: T201
    assert told["named"] > told["only pointed at"]
