"""A problem of one's own forward pass: what any problem can do, lines of NumPy can."""

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
from known_programs import PROGRAMS, programmed
from problems import identical, varied_problem

from backprop_lab import (
    MISTAKES,
    OPTIMIZERS,
    Adam,
    GradientDescent,
    Momentum,
    check,
    check_function,
    check_gradients,
    plant,
    program,
    prove,
    sweep,
    trace,
)
from backprop_lab.nn.lines import evaluate
from backprop_lab.step.example_programs import EXAMPLE_PROGRAMS
from backprop_lab.step.random_problems import kept_by_seeds, redrawn
from backprop_lab.training.curvature import critical_lr
from backprop_lab.ui.steps.script import numpy_script


def by_hand(seed=0, **options):
    rng = np.random.default_rng(seed)
    parameters = {"W": rng.standard_normal((3, 2)), "b": np.zeros((1, 2))}
    data = {"X": rng.standard_normal((4, 3)), "y": rng.standard_normal((4, 2))}
    return program("S = X @ W + b\nH = np.tanh(S)\nL = np.sum((H - y)**2)", parameters, data, **options)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_line_of_a_program_gives_its_value_and_every_gradient_is_proved(name):
    p = programmed(name, optimizer=Adam(decay=0.1))
    t = trace(p)
    values = dict(t.given)
    for step in t.steps:
        values[step.name] = evaluate(step.code, values)
        assert identical(np.asarray(values[step.name]), np.asarray(step.value)), step.name
        assert step.operands == tuple(each for each in step.operands if each in values)
    phases = [step.phase for step in t.steps]
    assert phases == sorted(phases, key=["forward", "loss", "backward", "update"].index)
    assert [step.name for step in t.steps if step.phase == "loss"] == [p.loss_name]
    assert {step.of for step in t.steps if step.role == "gradient"} >= {*p.parameters}
    for step in t.steps:
        if step.role == "gradient":
            assert np.shape(step.value) == np.shape(t[step.of])
            assert prove(t, step.name).agrees, step.name
    assert max(check_gradients(p).values()) < 1e-7


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("name", ["micrograd_readme", "cbow", "lstm_cell", "cs231n_two_layer", "conv1d_scan"])
def test_a_program_steps_on_and_training_at_once_takes_the_same_steps(name, optimizer):
    p = programmed(name, optimizer=optimizer, lr=0.01)
    walked = p
    for _ in range(5):
        walked = trace(walked).next_problem()
    at_once = p.trained([0.01] * 5)
    for key, value in (walked.parameters | walked.state).items():
        assert identical(np.asarray(value), np.asarray((at_once.parameters | at_once.state)[key]))
        assert key == "step" or np.any(value != (p.parameters | p.state)[key])
    assert trace(p).next_loss() == trace(trace(p).next_problem())[p.loss_name]
    assert {*p.state} == {name for name in p.given if name == "step" or (name[1:] in p.parameters and name[0] in "mv")}


def test_a_chain_of_layers_written_as_a_program_gives_the_same_step():
    for seed in range(100):
        problem = varied_problem(seed)
        t = trace(problem)
        lines = [f"{s.name} = {s.code}" for s in t.steps if s.phase in ("forward", "loss")]
        p = program(lines, problem.parameters, problem.data, lr=problem.lr, optimizer=problem.optimizer)
        again = trace(p)
        for name in (name for name in t.names if name.endswith("_new") or name[1:] in p.parameters):
            scale = np.abs(t[name]).max()
            np.testing.assert_allclose(again[name], t[name], rtol=1e-8, atol=1e-11 * scale, err_msg=name)


def test_what_a_line_says_a_datum_is_in_the_next_step_it_is():
    lines = "h_new = np.tanh(x @ W + h * decay)\nmean_new = 0.9 * mean + 0.1 * x.mean()\nL = np.sum((h_new - 1)**2)"
    data = {"x": np.ones((2, 3)), "h": np.zeros((2, 2)), "mean": 0, "decay": 0.5}
    p = program(lines, {"W": np.full((3, 2), 0.1)}, data)
    assert {*p.data} == {"x", "decay"}
    assert {*p.state} == {"h", "mean"}
    t = trace(p)
    later = t.next_problem()
    assert identical(later.state["h"], t["h_new"])
    assert later.state["mean"] == pytest.approx(0.1)
    assert t.step("mean_new").phase == "update"
    assert t.role("h_new") == "new"
    again = p.evolve(state={"h": np.ones((2, 2))})
    assert again.evolve(lr=1.0).state["h"].all()
    assert again.evolve(optimizer=Momentum()).state["h"].all(), "it is no memory of the optimizer"
    with pytest.raises(ValueError, match=r"h must have shape \(2, 2\); got \(1, 2\)"):
        p.evolve(state={"h": np.ones((1, 2))})
    with pytest.raises(ValueError, match=r"data has x, decay; got h: h is replaced in each step, so it is state="):
        p.evolve(data={"h": np.ones((2, 2))})
    with pytest.raises(ValueError, match="W is learnt: what replaces it comes from the update"):
        program("W_new = W\nL = np.sum(W)", {"W": 1.0}, {})


def test_rows_that_add_up_to_one_are_not_taken_to_do_so_in_the_next_step():
    lines = "P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)\ny_new = 2 * y\nL = -np.sum(y * np.log(P))"
    p = program(lines, {"S": np.arange(6.0).reshape(2, 3)}, {"y": np.eye(3)[:2]})
    assert prove(trace(trace(p).next_problem()), "dS").agrees


def test_a_program_is_evolved_by_name_and_derived_anew_where_shapes_change():
    p = by_hand()
    assert {*p.parameters} == {"W", "b"}
    assert {*p.data} == {"X", "y"}
    assert p.evolve(lr=0.5).lr == 0.5
    assert p.evolve(lr=0.5).lines is p.lines
    assert p.evolve(parameters={"b": np.ones((1, 2))}).lines is p.lines, "nothing is derived again"
    one = p.evolve(data={"X": np.ones((1, 3)), "y": np.ones((1, 2))}, parameters={"b": np.ones(2)})
    assert trace(one)["db"].shape == (2,)
    assert prove(trace(one), "db").agrees
    assert p.evolve(optimizer=Adam()).state["step"] == 1
    for name, said in (("W", "parameters={'W': ...}"), ("X", "data={'X': ...}"), ("V", "parameters={'W': ...}")):
        with pytest.raises(TypeError, match=rf"a program has .*; got {name}. Another \w: {said}"):
            p.evolve(**{name: 1})
    with pytest.raises(ValueError, match=r"parameters has W, b; got V"):
        p.evolve(parameters={"V": 1})
    with pytest.raises(ValueError, match="line 1, `S = X @ W"):
        p.evolve(parameters={"W": np.ones((2, 2))})
    with pytest.raises(ValueError, match="the learning rate must be a positive"):
        p.evolve(lr=-1)


def test_a_program_has_no_network_and_says_what_to_use_instead():
    p = by_hand()
    for name, instead in [("network", ".lines"), ("loss", ".loss_name"), ("X", ".data"), ("y", ".data")]:
        with pytest.raises(AttributeError, match=rf"a program has no \.{name}: .*`\{instead}`"):
            getattr(p, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = p.nothing
    assert repr(p) == "program of 3 lines, with W, b to learn"


def test_a_program_comes_back_from_a_pickle_and_a_copy():
    p = trace(by_hand(optimizer=Adam())).next_problem()
    for again in (pickle.loads(pickle.dumps(p)), copy.deepcopy(p), pickle.loads(pickle.dumps(trace(p))).problem):
        assert all(identical(trace(again)[name], trace(p)[name]) for name in trace(p).names)
        assert again.state["step"] == 2
        assert trace(again).next_problem().state["step"] == 3


@pytest.mark.parametrize(
    ("lines", "given", "said"),
    [
        ("L = np.sum(np.sort(X @ W))", {}, "np.sort|sort"),
        ("L = np.sum(X @ W)\nlr_new = 2 * L", {"lr": 1.0}, "lr is the learning rate in every line: call your own"),
        ("L = np.sum(X @ W) * step", {"step": 2.0}, "step is the number of the step in .* such as step1"),
        ("step = X @ W\nL = np.sum(step)", {}, "step is the number of the step in every line: call your own value"),
        ("L = np.sum(X @ W) * k", {"k": np.inf}, r"k is inf, and data must be finite"),
        ("L = np.sum(X @ W * k)", {"k": [[1.0], [np.nan]]}, r"k\[1, 0\] is nan, and data must be finite$"),
        ("L = np.sum(X @ W * k)", {"k": [-np.inf, 0]}, r"k\[0\] is -inf, .* finite; -1e9 hides as well as -inf"),
        ("L = np.sum(X @ W * k)\nk_new = np.sum(k)", {"k": [1.0, 2.0]},
         r"line 2, `k_new = np.sum\(k\)`: k_new takes the place of k in the next step, .* shape \(2,\); it has \(\)"),
        ("L = np.sum(X @ W)\nacc = np.mean(X)", {}, "W has no part in the loss acc: .* if L is, put its line last"),
        ("L = np.sum(X @ W)\nacc = np.mean(1.0 * (X @ W > 0))", {},
         "it has no slope for anything learnt: the last line is the loss; if L is, put its line last"),
        ("R = np.sum(X)\nL = np.mean(X)", {}, "W has no part in the loss L: leave it out, or use it"),
        ("L = np.sum(X @ W) / 0", {}, r"line 1, `L = np.sum\(X @ W\) / 0`: it divides by 0"),
        ("a = X @ W\nL = np.sum(a / (1 - 1))", {}, r"line 2, .*: it divides by 0"),
        ("L = np.sum(X @ W) * (1 / 0)", {}, "line 1, .*: it divides by 0"),
        ("L = np.sum((X @ W)[ix])", {"ix": [0, 5]}, r"L = .* stopped with IndexError"),
        ("L = np.sum((X @ W)[ix])\nix_new = ix + 1", {"ix": [0, 1]}, "ix picks places, and cannot be replaced"),
        ("L = X @ W", {}, "the loss is one number"),
        ("L = np.sum(dW * (X @ W))", {"dW": 2.0}, "dW is the name of the gradient of W, and stands for another value"),
        ("L = np.sum(X @ V)", {}, "V"),
        ("", {}, "no lines"),
        (3, {}, "lines are a text"),
    ],
)  # fmt: skip
def test_what_no_program_can_be_is_refused_in_words(lines, given, said):
    with pytest.raises(ValueError, match=said):
        program(lines, {"W": np.ones((3, 2))}, {"X": np.ones((2, 3)), **given})


def test_parameters_data_and_optimizer_of_another_kind_are_refused():
    with pytest.raises(ValueError, match="parameters are given by name"):
        program("L = np.sum(W)", np.ones(2), {})
    with pytest.raises(ValueError, match="W must hold numbers"):
        program("L = np.sum(W)", {"W": "text"}, {})
    with pytest.raises(ValueError, match="a value is learnt or among the data: W cannot be both"):
        program("L = np.sum(W)", {"W": np.ones(2)}, {"W": np.ones(2)})
    with pytest.raises(ValueError, match="there is no Q to have a gradient; there are W, H, L"):
        program("H = 2 * W\nL = np.sum(W)", {"W": np.ones(2)}, {}, gradients=["Q"])
    with pytest.raises(ValueError, match="H has no part in the loss L: leave it out, or use it"):
        program("H = 2 * W\nL = np.sum(W)", {"W": np.ones(2)}, {}, gradients=["H"])
    with pytest.raises(ValueError, match=r"gradients names data or values, as in gradients=\['X'\]; got 3"):
        program("L = np.sum(W)", {"W": np.ones(2)}, {}, gradients=3)
    with pytest.raises(
        ValueError, match=r"line 1, .*: nothing is learnt: give at least one array among the parameters"
    ):
        program("L = np.sum(X)", {}, {"X": np.ones(2)})
    with pytest.raises(ValueError, match="a program has at most 400 lines of at most 1000 characters"):
        program("H = W\n" * 500, {"W": 1.0}, {})
    with pytest.raises(ValueError, match="the optimizer is the class Adam itself"):
        program("L = W**2", {"W": 1.0}, {}, optimizer=Adam)
    with pytest.raises(ValueError, match="the learning rate must be"):
        program("L = W**2", {"W": 1.0}, {}, lr=0)


def test_a_decay_acts_on_what_an_at_multiplies():
    codes = dict(programmed("cbow", optimizer=GradientDescent(decay=0.1)).lines.codes)
    assert codes["W_out_new"] == "W_out - lr * dW_out - lr * 0.1 * W_out"
    assert codes["W_in_new"] == "W_in - lr * dW_in", "of which rows are taken"


def test_an_upstream_gradient_that_is_given_is_the_gradient_and_a_whole_one_is_proved():
    data = {"dout": np.arange(6.0).reshape(3, 2), "X": np.ones((3, 2))}
    lines = "out = X @ W\nL = np.sum(out * dout) + np.sum(out**2)"
    t = trace(program(lines, {"W": np.eye(2)}, data, gradients=["X"]))
    assert t.step("dW").code == "X.mT @ dout_total"
    assert t.owner("dout_total") == "out"
    for name in ("dout_total", "dW", "dX"):
        assert prove(t, name).agrees, name
    wrong = t.showing({"dout_total": t["dout_total"] * 1.01})
    assert prove(wrong, "dout_total").agrees is False


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_gradient_that_is_wrong_in_one_cell_is_seen_by_the_proof_and_by_check(name):
    t = trace(programmed(name))
    rng = np.random.default_rng(0)
    for step in t.steps:
        if step.role == "gradient" and np.abs(step.value).max() > 1e-12:
            wrong = np.array(step.value)
            cells = np.argwhere(np.abs(wrong) > 1e-3 * np.abs(wrong).max())
            at = tuple(cells[rng.integers(len(cells))])
            wrong[at] *= 1.01
            assert prove(t.showing({step.name: wrong}), step.name).agrees is False, step.name
            assert check(step.name, step.value, t), step.name
            assert not check(step.name, wrong, t), step.name


def test_a_loss_of_one_line_is_proved_where_only_the_complex_step_can_tell():
    p = program("L = np.mean((X @ W - y)**2)", {"W": np.ones((3, 1))}, {"X": np.eye(3), "y": 1e8 * np.ones((3, 1))})
    assert prove(trace(p), "dW").agrees
    assert check_gradients(p)["W"] < 1e-6
    assert critical_lr(p) == pytest.approx(3)


@pytest.mark.parametrize("line", ["np.log(w)", "np.log1p(w)", "np.sqrt(w)", "w**0.5", "np.log(w)**2"])
def test_where_the_loss_is_not_a_number_no_gradient_is_called_right_or_wrong(line):
    p = program(f"L = np.sum({line})", {"w": np.array([-2.0, 2.0])}, {})
    assert np.isnan(trace(p)["L"])
    assert prove(trace(p), "dw").agrees is None
    assert np.isnan(check_gradients(p)["w"])
    with pytest.raises(ValueError, match="the curvature is not finite at these weights"):
        critical_lr(p)


def test_code_of_a_learner_is_judged_on_programs():
    traces = [trace(by_hand(seed)) for seed in range(3)]
    assert check_function("dW", lambda X, dS: X.mT @ dS, traces)
    wrong = check_function("dW", lambda X, dS: X.mT @ dS / 2, traces)
    assert not wrong
    of_the_first_alone = check_function("dW", lambda X, dS: X.mT @ dS * (X[0, 0] == traces[0]["X"][0, 0]), traces)
    assert "Right for the first problem, but not for another one, with other numbers" in str(of_the_first_alone)


@pytest.mark.parametrize(
    ("name", "value", "wrong", "said"),
    [
        ("min_char_rnn", "h1_in", "x[1:2] @ Wxh + bh", "`x[1:2] @ Wxh + bh`: h0 @ Whh is missing"),
        ("layernorm_layer", "out", "norm * w", "`norm * w`: b is missing"),
        ("rnn_cell", "z", "xt @ Wax + a_prev @ Waa - ba", "a `-` where `+` was meant"),
        (
            "batchnorm_layer",
            "dx",
            "dxc",
            "mu is no constant, as x counts in it too, and the path through it is missing",
        ),
        ("cbow", "dW_out", "h.mT @ dscores / 4", "a mean, where a sum belongs"),
    ],
)
def test_a_term_that_is_lost_from_a_line_of_a_program_is_told(name, value, wrong, said):
    t = trace(redrawn(programmed(name), 1))
    feedback = check(value, t.evaluate(wrong), t)
    assert not feedback
    assert said in str(feedback)


def test_a_mistake_of_the_update_is_planted_in_a_program():
    t = trace(by_hand(optimizer=Momentum()))
    planted = [name for name, mistake in MISTAKES.items() if mistake.possible_at(t)]
    assert planted
    for name in planted:
        wrong = plant(t, MISTAKES[name])
        at = MISTAKES[name].planted_at(t)[0]
        assert not identical(wrong[at], t[at])
    with pytest.raises(ValueError, match="does not apply to dW in program of 3 lines"):
        plant(t, MISTAKES["mask-forgotten"], "dW")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_script_of_a_program_gives_the_same_numbers(name):
    t = trace(programmed(name, optimizer=Adam()))
    values = {"print": lambda *_, **__: None}
    exec(numpy_script(t), values)
    assert all(identical(np.asarray(values[each]), np.asarray(t[each])) for each in t.names)


def test_a_seed_draws_with_the_mean_and_spread_there_are_and_leaves_constants():
    W = np.random.default_rng(0).normal(5, 0.1, (100, 100))
    p = program("L = np.sum((X @ W + b)**2) * c", {"W": W, "b": np.zeros((1, 100)), "c": 2.0}, {"X": np.ones((2, 100))})
    drawn = redrawn(p, 3)
    assert drawn.parameters["W"].mean() == pytest.approx(5, abs=0.01)
    assert drawn.parameters["W"].std() == pytest.approx(0.1, rel=0.05)
    assert not np.any(drawn.parameters["W"] == W)
    assert identical(drawn.parameters["b"], p.parameters["b"])
    assert drawn.parameters["c"] == 2
    assert kept_by_seeds(p) == "b, c stay as given, whatever the seed: all numbers of each are the same."
    assert kept_by_seeds(by_hand()) == "b stays as given, whatever the seed: all its numbers are the same."
    assert kept_by_seeds(programmed("rnn_cell")) == ""
    assert identical(redrawn(p, 3).parameters["W"], drawn.parameters["W"])
    assert redrawn(p, None) is p


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_sweep_of_a_program_takes_the_steps_of_each_run_alone(name):
    p = programmed(name, optimizer=Adam())
    swept = sweep([None, 1], [0.001, 0.01], steps=5, problem=p)
    for i, seed in enumerate([None, 1]):
        for j, lr in enumerate([0.001, 0.01]):
            alone, losses = redrawn(p, seed).evolve(lr=lr), []
            for _ in range(6):
                losses.append(float(trace(alone)[p.loss_name]))
                alone = trace(alone).next_problem()
            np.testing.assert_allclose(swept.loss[i, j], losses, rtol=1e-9)


@pytest.mark.parametrize("name", ["transformer block", "lstm", "convolution", "softmax_classifier", "lstm_cell"])
def test_labels_and_columns_are_picked_from_a_stack_as_from_each_of_its_runs(name):
    p = programmed(name) if name in PROGRAMS else EXAMPLE_PROGRAMS[name]()
    swept = sweep(range(20), np.logspace(-3, -1, 8), steps=5, problem=p)
    assert swept.one_by_one == ""
    for i, j in ((0, 7), (7, 4), (19, 0)):
        alone = redrawn(p, i).evolve(lr=float(swept.lrs[j]))
        trained = alone.trained([alone.lr] * 5)
        assert swept.loss[i, j, 0] == pytest.approx(float(trace(alone)[p.loss_name]), rel=1e-9)
        assert swept.loss[i, j, 5] == pytest.approx(float(trace(trained)[p.loss_name]), rel=1e-9)


def test_a_sweep_of_a_program_runs_on_stacks_where_its_lines_can_be_stacked():
    p = by_hand()
    assert sweep([None], [0.1], 1, problem=p).one_by_one == ""
    said = sweep([None], [0.1], 1, problem=programmed("cbow")).one_by_one
    assert said == "The line left = W_in[ctx[:, 0]] takes one run at a time, so they are trained one after another."
    said = sweep([None], [0.1], 1, problem=programmed("conv1d_scan")).one_by_one
    assert said.startswith("The value dout, with 3 axes, takes one run at a time")
    large = sweep(range(20), np.logspace(-3, -1, 10), steps=20, problem=p)
    alone = redrawn(p, 7).evolve(lr=float(large.lrs[4])).trained([float(large.lrs[4])] * 20)
    assert trace(alone)["L"] == pytest.approx(large.loss[7, 4, 20], rel=1e-9)
    flat = by_hand().evolve(parameters={"b": np.ones(2)})
    flat = program("L = c * np.sum((X @ W + b - y)**2)", flat.parameters | {"c": 0.5}, flat.data, optimizer=Adam())
    assert not flat.lines.not_stacked(flat.given), "rows and single numbers too"
    rows = sweep(range(20), [0.01, 0.1], steps=20, problem=flat)
    alone = redrawn(flat, 7).evolve(lr=0.1).trained([0.1] * 20)
    assert trace(alone)["L"] == pytest.approx(rows.loss[7, 1, 20], rel=1e-9)
    np.testing.assert_allclose(rows.parameters["b"][7, 1], alone.parameters["b"], rtol=1e-9)
    with pytest.raises(AttributeError, match=r"a program has no \.network"):
        large.network(7, float(large.lrs[4]))


SOFTMAX = """
S = X @ W
P = np.exp(S) / np.exp(S).sum(axis=1, keepdims=True)
L = -np.sum(y * np.log(P)) / len(y)
"""


def softmax(backward, y=None):
    rng = np.random.default_rng(1)
    y = np.eye(3)[[0, 2, 1, 1]] if y is None else y
    return program(
        SOFTMAX, {"W": rng.standard_normal((2, 3))}, {"X": rng.standard_normal((4, 2)), "y": y}, backward=backward
    )


def test_lines_of_ones_own_stand_in_place_of_derived_ones():
    codes = dict(softmax("dS = (P - y) / len(X)").lines.codes)
    assert codes["dS"] == "(P - y) / len(X)"
    assert codes["dW"] == "X.mT @ dS"
    t = trace(softmax("dP = -y / P / len(y)\ninner = (dP * P).sum(axis=1, keepdims=True)\ndS = P * (dP - inner)"))
    assert [step.name for step in t.steps if step.phase == "backward"] == ["dP", "inner", "dS", "dW"]
    assert t.step("dS").code == "P * (dP - inner)"
    assert (t.role("dS"), t.owner("dS"), t.role("inner")) == ("gradient", "S", "value")
    for name in ("dP", "dS", "dW"):
        assert prove(t, name).agrees
    later = trace(softmax("dW = X.mT @ ((P - y) / len(y))"))
    assert [step.name for step in later.steps if step.phase == "backward"] == ["dW"], "nothing else is needed"


@pytest.mark.parametrize(
    ("backward", "said"),
    [
        ("dS = P - y", r"dS = P - y is not the gradient: dS\[0, 0\] is .*, and should be"),
        (
            "dS = ((P - y) / len(y)).sum(axis=1, keepdims=True)",
            r"dS = .* has shape \(4, 1\), and the gradient has \(4, 3\)",
        ),
        ("dS = [x for x in P]", "a loop"),
        ("dS = P.__class__", "line 1"),
        ("dS = __import__('os')", "line 1"),
        ("dS = (Q - y) / len(y)", "Q"),
        ("P = 1", "backward has a line for P, which is no gradient"),
        ("inner = P - y", "backward has no line for a gradient: there are"),
        ("dS = (P - y) / len(y)\nidle = P - y", "backward has a line for idle, which no gradient needs"),
        ("dS = dW", "the lines for dS and dW wait for each other"),
    ],
)
def test_a_line_of_ones_own_that_is_wrong_is_refused_with_the_cell(backward, said):
    with pytest.raises(ValueError, match=said):
        softmax(backward)


def test_a_line_of_ones_own_is_compared_again_on_other_data():
    p = softmax("dS = (P - y) / len(y)")
    assert p.evolve(parameters={"W": np.ones((2, 3))})
    with pytest.raises(ValueError, match=r"dS = \(P - y\) / len\(y\) is not the gradient: dS\[0, 0\]"):
        p.evolve(data={"y": np.ones((4, 3))})
    with pytest.raises(ValueError, match="is not the gradient"):
        softmax("dS = (P - y) / len(y)", np.ones((4, 3)))


def test_a_line_of_ones_own_that_is_right_at_the_start_alone_is_refused():
    with pytest.raises(ValueError, match=r"db = .* is not the gradient"):
        program("L = np.sum((X @ W + b)**2)", {"W": np.ones((2, 1)), "b": np.zeros((1, 1))}, {"X": np.ones((3, 2))},
                backward="db = 2 * (X @ W).sum(axis=0, keepdims=True)")  # fmt: skip


def test_a_corner_is_taken_as_the_backward_pass_takes_it():
    zeros = program("H = np.maximum(0, X @ W)\nL = np.sum((H - 1)**2)", {"W": np.zeros((2, 2))}, {"X": np.ones((3, 2))})
    assert prove(trace(zeros), "dW").agrees
    wrong = trace(zeros).showing({"dW": np.array([[1e-3, 0], [0, 0]])})
    assert prove(wrong, "dW").agrees is False
    other = program("H = np.abs(X @ W)\nL = np.sum((H - 1)**2)", {"W": np.zeros((2, 2))}, {"X": np.ones((3, 2))})
    assert prove(trace(other), "dW").agrees is None, "which side it takes is its own affair"


@pytest.mark.parametrize(
    ("line", "agrees"),
    [
        ("np.abs(w)**2 + w", True), ("np.maximum(w, 0)**2 + w", True), ("np.where(w > 0, w, w) + w", True),
        ("np.minimum(w, 2 * w)**2 + w", True), ("np.clip(w, 0, 1)**2 + w", True), ("np.maximum(w, 0)", True),
        ("np.abs(w)", None), ("np.where(w > 0, w, 2 * w)", None), ("np.clip(w, 0, 1)", None), ("w * (w > 0)", None),
        ("np.minimum(w, 2 * w)", None), ("np.maximum(w,-w)", None), ("np.maximum(w, -w) * np.maximum(w + 1, 0)", None),
        ("w.max()", None),
    ],
)  # fmt: skip
def test_at_a_tie_it_cannot_be_told_only_where_the_two_sides_have_other_slopes(line, agrees):
    p = program(f"L = np.sum({line} + w)", {"w": np.array([0.0, 0.7, 0.7, -1.3])}, {})
    assert prove(trace(p), "dw").agrees is agrees
    assert np.isnan(check_gradients(p)["w"]) == (agrees is None)


def test_a_mask_hides_numbers_and_every_gradient_is_proved_all_the_same():
    rng = np.random.default_rng(0)
    lines = """
    S = np.where(before, X @ W, -1e9) + far
    Z = S - S.max(axis=1, keepdims=True)
    A = np.exp(Z) / np.exp(Z).sum(axis=1, keepdims=True)
    L = np.sum(A * y)
    """
    data = {"X": rng.standard_normal((3, 3)), "before": np.tri(3, dtype=bool), "y": rng.standard_normal((3, 3))}
    p = program(lines, {"W": rng.standard_normal((3, 3))}, data | {"far": -1e9 * np.eye(3)[::-1]}, gradients=["Z"])
    for name in ("dA", "dZ", "dS", "dW"):
        t = trace(p)
        assert prove(t, name).agrees, name
        wrong = np.array(t[name])
        wrong[np.unravel_index(np.abs(wrong).argmax(), wrong.shape)] *= 1.001
        assert prove(t.showing({name: wrong}), name).agrees is False, name
    with pytest.raises(ValueError, match="before must hold numbers"):
        program(lines, {"W": np.ones((3, 3)), "before": data.pop("before")}, data)


def test_numbers_of_any_precision_pass_through_a_program():
    rng = np.random.default_rng(0)
    given = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in (("W", (3, 2)), ("X", (4, 3)))}
    single = trace(
        program("H = np.tanh(X @ W)\nL = np.mean(H**2)", {"W": given["W"]}, {"X": given["X"]}, optimizer=Adam())
    )
    assert single["dW"].dtype == single["W_new"].dtype == np.float32
    assert prove(single, "dW").agrees
    half = Fraction(1, 2)
    t = trace(program("L = np.sum((X @ W)**2)", {"W": [[half]]}, {"X": [[half], [half]]}, lr=half))
    assert t["dW"].tolist() == [[half]]
    assert t["W_new"].tolist() == [[half / 2]]
    assert check_gradients(t.problem)["W"] < 1e-6
    assert np.isfinite(sweep([None, 1], [0.1], 3, problem=t.problem).loss).all()


def test_a_minus_sign_from_a_page_is_a_minus_and_a_comment_stays_as_it_is():
    p = program("H = W \N{MINUS SIGN} 2  # W \N{MINUS SIGN} 2\nL = \N{MINUS SIGN}np.sum(H)", {"W": [5.0]}, {})
    t = trace(p)
    assert (t.step("H").code, t.step("H").note) == ("W - 2", "W \N{MINUS SIGN} 2")
    assert float(t["L"]) == -3.0


@pytest.mark.parametrize(
    ("refused", "followed"),
    [
        ("max(A, 0)", "np.maximum(A, 0)"),
        ("softmax(A[:, 0])", "np.exp(A[:, 0]) / np.exp(A[:, 0]).sum(axis=-1, keepdims=True)"),
        ("np.repeat(A, 2, axis=0)", "A[places]"),
        ("np.repeat(A, 1)", "A.reshape(-1)[ten]"),
        ("np.linalg.norm(A[:, 0], 1)", "np.sum(np.abs(A[:, 0]))"),
        ("np.linalg.norm(A, ord=1)", "np.max(np.sum(np.abs(A), axis=0))"),
        ("np.sum(A).T", "np.sum(A)"),
        ("np.sum(A).item()", "np.sum(A)"),
    ],
)
def test_what_a_refused_line_is_told_to_write_gives_the_same_value(refused, followed):
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(5, 3)), rng.normal(size=(3, 2))
    data = {"X": X, "places": np.repeat(np.arange(5), 2), "ten": np.repeat(np.arange(10), 1)}
    with pytest.raises(ValueError, match=r"write|leave"):
        program(f"A = X @ W\nL = np.sum({refused})", {"W": W}, data)
    scope = {"np": np, "A": X @ W, "max": np.maximum, "softmax": lambda z: np.exp(z) / np.exp(z).sum()}
    meant = eval(refused, scope)
    loss = "np.sum(H**2)" if np.ndim(meant) else "H**2"
    t = trace(program(f"A = X @ W\nH = {followed}\nL = {loss}", {"W": W}, data))
    assert t["H"] == pytest.approx(meant)
    assert prove(t, "dW").agrees


def test_a_name_is_the_one_that_python_reads_however_it_is_typed():
    micro, mu = "\u00b5", "\u03bc"  # a key of many keyboards, and the Greek letter that Python makes of it
    lines = f"{micro} = X.mean(axis=0)\nL = np.sum(((X - {micro}) @ W)**2)"
    t = trace(program(lines, {"W": np.ones((3, 1))}, {"X": np.arange(6.0).reshape(2, 3)}))
    assert mu in t.step("L").code
    assert prove(t, "dW").agrees
    with pytest.raises(ValueError, match=f"{micro} is read as {mu} in a line: give the value that name"):
        program(f"L = {micro}**2", {micro: 1.0}, {})
