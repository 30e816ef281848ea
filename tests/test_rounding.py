"""How much rounding there can be: the terms of each kind of line, and that right answers are within it."""

import numpy as np
import pytest
from own_parts import OWN_PROBLEMS
from test_mistakes import varied_problem

from backprop_lab import trace
from backprop_lab.feedback import ROUNDINGS, VANISHING
from backprop_lab.rounding import Terms, all_terms, terms_of

a = np.array([[3.0, -1.0], [0.5, 2.0]])
b = np.array([[1.0, 4.0], [-0.25, 2.0]])
large = Terms(np.array([[0.1, -0.2], [0.0, 0.4]]), np.array([[8.0, 8.0], [8.0, 8.0]]))  # what is left of large numbers
A, B = np.abs(a), np.abs(b)


def terms(code, **more):
    return terms_of(code, {"a": Terms(a), "b": Terms(b), "large": large, **more})


# The terms of a line


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a + b", A + B),
        ("a - b", A + B),
        ("-a", A),
        ("a - b - a", A + B + A),
        ("2 * (a - b)", 2 * (A + B)),
        ("-2 * (a - b)", 2 * (A + B)),
        ("Fraction(-1, 3) * a", A / 3),
        ("a * b", A * B),
        ("(a - b) * (a - b)", (A + B) ** 2),
        ("(a - b) ** 2", (A + B) ** 2),
        ("np.square(a - b)", (A + B) ** 2),
        ("a @ b", A @ B),
        ("a.mT @ b", A.T @ B),
        ("a @ b - b", A @ B + B),
        ("(a - b) / 4", (A + B) / 4),
        ("(a - b) / a.size", (A + B) / 4),
        ("(a - b) / len(b)", (A + B) / 2),
        ("a / b", A / B),
        ("1 / (large + 1)", 9 / (large.value + 1) ** 2),
        ("np.sum(a - b)", (A + B).sum()),
        ("(a - b).sum(axis=0, keepdims=True)", (A + B).sum(axis=0, keepdims=True)),
        ("np.sum(a - b, axis=-1)", (A + B).sum(axis=-1)),
        ("np.sum(a - b, -1)", (A + B).sum(axis=-1)),
        ("np.mean((a - b) ** 2)", ((A + B) ** 2).mean()),
        ("(a - b).mean(axis=0)", (A + B).mean(axis=0)),
        ("np.abs(a - b).sum()", (A + B).sum()),
        ("np.einsum('nd,nh->dh', a, b)", A.T @ B),
        ("a[:1] - b[1:]", A[:1] + B[1:]),
        ("np.vstack([a, -b])", np.vstack([A, B])),
        ("(a - b).reshape(1, 4)", (A + B).reshape(1, 4)),
        ("np.where(a > 0, a - b, -7)", np.where(a > 0, A + B, 7)),
        ("a * (large > 0)", A * (large.value > 0)),
        ("large * (a > 0)", 8 * (a > 0)),
    ],
)
def test_a_sum_adds_terms_a_difference_adds_them_too_and_a_product_multiplies_them(code, expected):
    np.testing.assert_allclose(np.asarray(terms(code), float), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("code", "slope"),
    [
        ("np.tanh(large)", 1 - np.tanh(large.value) ** 2),
        ("np.exp(large)", np.exp(large.value)),
        ("np.log(2 + large)", 1 / (2 + large.value)),
        ("np.sqrt(1 + large)", 0.5 / np.sqrt(1 + large.value)),
        ("(1 + large) ** 5", 5 * (1 + large.value) ** 4),
        ("np.maximum(large, -1)", 1.0),
        ("np.maximum(large, 9)", 0.0),
        ("np.clip(large, -0.15, 0.15)", np.abs(large.value) < 0.15),
    ],
)
def test_any_other_function_scales_the_terms_by_its_slope_there(code, slope):
    value = np.asarray(eval(code, {"np": np, "large": large.value}))
    of_input = 8 + (1 if "1 +" in code else 2 if "2 +" in code else 0)
    np.testing.assert_allclose(terms(code), np.abs(value) + slope * of_input, rtol=1e-4)


def test_a_function_with_a_corner_takes_the_steeper_side():
    assert terms("np.maximum(large, 0)")[1, 0] == pytest.approx(8)


@pytest.mark.parametrize(
    "code",
    [
        "np.array([[math.tanh(x) for x in row] for row in large])",
        "np.vectorize(math.tanh)(large)",
        "np.array(list(map(lambda row: [math.tanh(x) for x in row], large)))",
    ],
)
def test_a_line_that_goes_through_math_has_the_same_terms(code):
    np.testing.assert_allclose(terms(code), terms("np.tanh(large)"), rtol=1e-4)


def test_what_cancels_behind_a_function_of_math_counts():
    assert terms("1 + np.vectorize(math.erf)(x)", x=Terms(np.array([[-6.0]]))) == pytest.approx(2)


@pytest.mark.parametrize("code", ["np.linalg.inv(inv) @ a", "np.cumprod(a - b, axis=0)", "np.std(a - b, axis=0)"])
def test_what_a_function_does_not_carry_is_found_by_moving_its_input(code):
    """Four times at random: within a factor of what moving each number by itself would add up to."""
    found = terms(code, inv=Terms(np.array([[2.0, 1.0], [1.0, 3.0]])))
    one_by_one = np.zeros(np.shape(found))
    plain = {"np": np, "a": a, "b": b, "inv": np.array([[2.0, 1.0], [1.0, 3.0]])}
    right = eval(code, plain)
    for name in ("a", "b", "inv"):
        for where in np.ndindex(2, 2):
            moved = plain[name].copy()
            moved[where] *= 1 + 1e-6
            one_by_one += np.abs(eval(code, plain | {name: moved}) - right) / 1e-6
    assert (found >= np.abs(right) + one_by_one / 4).all()
    assert (found <= 4 * (np.abs(right) + one_by_one)).all()


def test_whole_numbers_and_masks_have_no_rounding_of_their_own():
    assert terms("(a > 0) * 1.0").tolist() == [[1, 0], [1, 1]]
    assert terms("np.float64(3)") == 3


# Right answers found in other ways


def random_own(seed):
    """A problem of one's own parts, one after the other, with other numbers, large and small, and 5 samples."""
    rng = np.random.default_rng(seed)
    p = list(OWN_PROBLEMS.values())[seed % len(OWN_PROBLEMS)]

    def like(shape):
        return rng.standard_normal(shape) * 10.0 ** rng.uniform(-2, 1)

    parameters = {name: like(v.shape) for name, v in p.network.parameters.items()}
    probabilities = (p.y >= 0).all()
    y = np.eye(2)[rng.integers(0, 2, 5)] if probabilities else like((5, 2))
    return p.evolve(network=p.network.with_parameters(parameters), X=like((5, 4)), y=y)


def in_other_numbers(p, kind):
    network = p.network.with_parameters({name: v.astype(kind) for name, v in p.network.parameters.items()})
    return p.evolve(network=network, X=p.X.astype(kind), y=p.y.astype(kind))


def in_another_order(p, rng):
    """The same sums, of samples and of inputs, added in another order."""
    samples, inputs = rng.permutation(len(p.X)), rng.permutation(p.X.shape[1])
    turned = p.network.parameters["W1"][inputs]
    network = p.network.with_parameters(p.network.parameters | {"W1": turned})
    return p.evolve(network=network, X=p.X[samples][:, inputs], y=p.y[samples]), samples, inputs


def worst(t, other, eps, put_back=lambda name, value: value):
    """By how many roundings of all terms another trace is off at most, and where."""
    known = all_terms(t.steps, t.given)
    found = (0.0, "nothing")
    for step in t.steps:
        off = np.abs(np.asarray(put_back(step.name, other[step.name]) - step.value, float))
        terms = np.asarray(known[step.name].terms, float)
        counted = off > VANISHING[int(eps > 1e-10)]
        found = max(found, (float(np.max(off[counted] / terms[counted], initial=0)) / eps, step.name))
    return found


PROBLEMS = {
    "ours": [varied_problem(seed) for seed in range(200)],
    "own parts": [random_own(seed) for seed in range(200)],
}
each_kind = pytest.mark.parametrize("problems", PROBLEMS.values(), ids=PROBLEMS)


@each_kind
def test_nothing_is_larger_than_its_terms(problems):
    for p in problems:
        t = trace(p)
        for name, known in all_terms(t.steps, t.given).items():
            assert (np.abs(known.value) <= known.terms * (1 + 1e-12)).all(), name


@each_kind
@pytest.mark.parametrize("kind", [np.float32, np.longdouble])
def test_another_precision_is_within_eight_roundings_of_its_terms(problems, kind):
    eps = np.finfo(np.float32 if kind is np.float32 else float).eps
    roundings = [worst(trace(p), trace(in_other_numbers(p, kind)), eps) for p in problems]
    assert max(roundings) < (ROUNDINGS, "")


@each_kind
def test_another_order_of_adding_is_within_eight_roundings_of_its_terms(problems):
    rng = np.random.default_rng(0)
    for p in problems:
        other, samples, inputs = in_another_order(p, rng)

        def put_back(name, value, p=p, samples=samples, inputs=inputs):
            if (
                np.ndim(value)
                and len(value) == len(p.X)
                and not name.endswith("_new")
                and name[:2] not in ("dW", "db", "da", "ds")
            ):
                value = value[np.argsort(samples)]
            return value[np.argsort(inputs)] if name in ("dW1", "W1_new") else value

        assert worst(trace(p), trace(other), np.finfo(float).eps, put_back) < (ROUNDINGS, "")


EXPANDED = {
    "SumSquaredError": lambda p, y: np.sum(p**2) - 2 * np.sum(p * y) + np.sum(y**2),
    "MeanSquaredError": lambda p, y: np.mean(p**2) - 2 * np.mean(p * y) + np.mean(y**2),
    "PlainMean": lambda p, y: (p * p - 2 * p * y + y * y).sum() / y.size,
    "AbsoluteError": lambda p, y: np.sum(np.sign(p - y) * p) - np.sum(np.sign(p - y) * y),
    "CrossEntropy": lambda p, y: (
        np.sum(np.log(np.exp(p - p.max()).sum(axis=1)) + p.max()) / len(y) - np.sum(p * y) / len(y)
    ),
}


@each_kind
def test_a_loss_in_its_expanded_form_is_within_eight_roundings_of_its_terms(problems):
    tried = set()
    for p in problems:
        if expanded := EXPANDED.get(type(p.loss).__name__):
            t = trace(p)
            off = abs(expanded(t["y_pred"], p.y) - t["L"]) / all_terms(t.steps, t.given)["L"].terms
            assert off < ROUNDINGS * np.finfo(float).eps, type(p.loss).__name__
            tried.add(type(p.loss).__name__)
    assert len(tried) >= 2
