"""The mysteries: each shows right lines and wrong numbers, can be solved from these, and does not give itself away."""

import numpy as np
import pytest
from common import check_cases, count, raises
from known_programs import programmed

from backprop_lab import (
    MISTAKES,
    Adam,
    MeanSquaredError,
    Momentum,
    Tanh,
    check,
    mystery,
    program,
    random_problem,
    solve,
    trace,
)
from backprop_lab.checks.numeric import relative_error
from backprop_lab.checks.proof import check_step
from backprop_lab.course import mysteries
from backprop_lab.course.guesses import meant_by
from backprop_lab.nn.lines import evaluate
from backprop_lab.step.number_format import as_printed

on_board = np.vectorize(as_printed)  # a value with the digits that the board shows


def first_wrong_line(case):
    """The one value that its own line does not give from the values before it; everything else follows from it."""
    (broken,) = [step.name for step in case.steps if not np.allclose(evaluate(step.code, case), step.value)]
    return broken


@pytest.mark.parametrize("number", mysteries.CASES)
def test_of_right_lines_one_number_does_not_follow_and_a_check_finds_it(number):
    case = mystery(number)
    right, broken = trace(case.problem), first_wrong_line(case)
    assert [step._replace(value=None) for step in case.steps] == [step._replace(value=None) for step in right.steps]
    errors = {step.name: check_step(case, step.name) for step in case.steps if step.role == "gradient"}
    assert all(error < 1e-6 or error > 1e-3 for error in errors.values())
    assert [name for name, error in errors.items() if error > 1e-3][:1] == ([] if number == 6 else [broken])
    assert (number == 6) == (case.step(broken).phase == "update")


@pytest.mark.parametrize("number", mysteries.CASES)
def test_it_is_solved_by_what_feedback_names_and_no_refusal_tells_it(number):
    case = mystery(number)
    line, right = first_wrong_line(case), trace(case.problem)
    solutions = {*check(line, case[line], right).cause}
    assert len(solutions) == (2 if number == 1 else 1)
    told = {name: solve(number, name) for name in MISTAKES}
    assert {name for name, feedback in told.items() if feedback} == solutions
    for name, feedback in told.items():
        made, lines = MISTAKES[name], MISTAKES[name].wrong_lines(right, line)
        fits = any(value.shape == case[line].shape for _, value in made.wrong_values(right, line))
        if feedback:
            assert str(feedback) in [f"That is it: what was run is {line} = {code}. {made.cause}" for code in lines]
        else:
            assert feedback.cause == ("value" if fits else "shape" if lines else "place",)
    sentences = " ".join(str(feedback) for feedback in told.values() if not feedback)
    assert not [word for word in (line, *solutions) if word in sentences]
    for wrong in (MISTAKES[name].wrong_value(right, line) for name in told.keys() - solutions):
        same_shape = np.shape(wrong) == np.shape(case[line])
        assert not (same_shape and np.array_equal(np.round(wrong, 2), case[line].round(2))), "told apart by 2 decimals"


def test_the_board_tells_the_line_and_the_mistake_of_a_drawn_mystery():
    cases, twins = count(500, 10), 0
    for seed in range(cases):
        drawn = {"seed": seed, "difficulty": seed % 3 + 1}
        case, rng = mystery(**drawn), np.random.default_rng(seed)
        follows = {step.name: evaluate(step.code, case) for step in case.steps}
        shown = case.showing(follows)  # each value as its own line gives it from the numbers shown
        judged = {step.name: check(step.name, case[step.name], shown) for step in case.steps}
        ((line, found),) = [(name, feedback) for name, feedback in judged.items() if not feedback]
        twins += len(solutions := {*found.cause}) > 1
        assert solutions <= MISTAKES.keys()
        assert all(solve(mistake=name, line=line, **drawn) and solve(mistake=name, **drawn) for name in solutions)
        others = [name for name in MISTAKES if name not in solutions]
        assert not any(solve(mistake=name, line=line, **drawn) for name in rng.choice(others, 3))
        elsewhere = str(rng.choice([name for name in judged if name != line]))
        assert solve(mistake=min(solutions), line=elsewhere, **drawn).cause == ("line",)
        board = {name: on_board(value) for name, value in case.items()}
        off = {step.name: relative_error(evaluate(step.code, board), board[step.name]) for step in case.steps}
        assert max(off, key=off.get) == line
        right = trace(case.problem)
        assert all(np.mean(step.value == 0) <= 3 / 4 for step in (*case.steps, *right.steps)), "no layer is off"
        for wrong in (MISTAKES[name].wrong_value(right, line) for name in others):
            if wrong is not None and np.shape(wrong) == np.shape(case[line]):
                assert relative_error(on_board(wrong), board[line]) > 0.02
    print(f"{cases} mysteries, {twins} of them with several mistakes that give the same numbers")  # noqa: T201


def test_the_harder_a_drawn_mystery_the_more_may_be_wrong():
    drawn = {level: [mystery(seed=seed, difficulty=level) for seed in range(25)] for level in (1, 2, 3)}
    phases = {level: {case.step(first_wrong_line(case)).phase for case in drawn[level]} for level in drawn}
    assert phases[1] == {"backward"} < phases[2] < phases[3] == {"forward", "loss", "backward", "update"}
    assert not any(solve(mistake="cross-entropy", seed=seed, difficulty=1) for seed in range(50)), "taught later"


def answer_to(**drawn):
    """What is said of the right guess."""
    return next(filter(None, (solve(mistake=name, **drawn) for name in MISTAKES)))


def test_what_is_said_of_a_guess_is_what_somebody_has_read():
    check_cases("guesses", {"np": np, "raises": raises, "answer_to": answer_to})


def test_a_mystery_understands_the_words_of_a_mistake_and_the_line_that_one_suspects():
    words = ("transpose-forgotten", "Transpose forgotten", "forgotten transpose")
    for typed in (*words, "dy_pred @ W2", "dH1=dy_pred@W2"):
        assert solve(5, typed), typed
        assert solve(5, typed, "dH1"), typed
    several = str(solve(5, "transpose"))
    assert "fits several" in several
    assert [name for name in MISTAKES if name in several] == ["transpose-forgotten", "result-transposed"]
    for mistake in MISTAKES.values():
        named, titled = solve(5, mistake.name), solve(5, mistake.title)
        assert solve(5, f" {mistake.name.upper()} ") == solve(5, mistake) == named
        assert solve(5, mistake.title.upper()) == titled
        if mistake.name not in SAID_ALIKE:
            assert solve(5, mistake.name.replace("-", " ")) == titled == named, mistake.name
    for name, possible in SAID_ALIKE.items():
        assert str(solve(5, MISTAKES[name].title)).startswith(f"Taken as {possible}. Not this one: ")


SAID_ALIKE = {"mask-left-out": "mask-forgotten", "mean-over-copies": "mean-for-sum", "velocity-mixed": "mean-for-sum"}
READINGS = {
    "mask-forgotten": ["forgot the mask", "the mask forgotten", "no mask", "mask left out", "Mask  left out.",
                       "I forgot the ReLU's mask", "without the mask", "the mask is missing", "mask forgotten"],
    "weights-for-gradient": ["W for dW", "W2 in place of dW2", "weights instead of the gradient", "b for db"],
    "gradient-for-weights": ["dW for W", "dW1 instead of W1", "the gradient for the weights", "dW where W was meant"],
    "star-for-matmul": ["* for @", "star for matmul", "* in place of @"],
    "matmul-for-star": ["@ for *", "@ instead of *"],
    "sum-for-mean": ["sum for mean", "a sum instead of the mean"],
    "mean-for-sum": ["mean for sum", "the mean in place of a sum"],
    "lr-twice": ["lr twice", "learning rate twice"],
    "activation-skipped-backward": ["activation skipped"],
}  # fmt: skip


@pytest.mark.parametrize("name", READINGS)
def test_words_mean_what_they_say_in_their_order_and_what_can_occur_here(name):
    t = trace(mystery(1).problem)
    for typed in READINGS[name]:
        assert meant_by(typed, t) == [name], typed


def test_of_what_goes_by_one_name_that_of_the_wrong_line_is_meant():
    t = trace(mystery(1).problem)
    for typed in ("sign flipped", "Wrong sign", "minus forgotten"):
        assert meant_by(typed, t, wrong="W2_new") == ["plus-for-minus"], typed
        assert meant_by(typed, t, wrong="dy_pred") == ["sign-flipped"], typed
    assert meant_by("squared", t, wrong="dy_pred") == ["loss-for-gradient"]
    assert meant_by("W2_new instead of W2", t) == meant_by("new weights", t) == ["updated-weights"]


def test_what_is_in_place_of_what_is_not_taken_the_other_way_round():
    t = trace(mystery(1).problem)
    assert meant_by("loss instead of the gradient", t) == ["loss-for-gradient"]
    swapped = [name.split("-for-") for name in MISTAKES if "-for-" in name]
    assert len(swapped) > 15
    for one, other in swapped:
        assert f"{one}-for-{other}" not in meant_by(f"{other} for {one}", t)


def test_words_mean_first_what_can_be_done_wrong_in_the_line_that_is_suspected():
    t = trace(mystery(1).problem)
    assert meant_by("forgotten", t, "db1") == ["sum-forgotten", "axis-forgotten"]
    assert meant_by("forgotten", t, "b1_new") == ["lr-forgotten", "not-updated"]
    assert len(meant_by("forgotten", t)) > 5


def test_a_refusal_says_what_was_understood_unless_it_was_the_name():
    assert solve(1, "no mask")
    assert solve(6, "W for dW")
    assert str(solve(6, "forgot the mask")).startswith("Taken as mask-forgotten. Not this one: ")
    assert str(solve(6, "dW for W")).startswith("Taken as gradient-for-weights. Not this one: ")
    assert str(solve(6, "mask forgotten")).startswith("Not this one: ")
    assert str(solve(6, "ReLU mask forgotten")).startswith("Not this one: ")
    assert "But it is not mask-forgotten:" in str(solve(6, "forgot the mask", "W2_new"))


@pytest.mark.parametrize("letter", ["X", "W", "s", "1", "*", "x "])
def test_one_letter_is_no_mistake(letter):
    told = solve(1, letter)
    assert not told
    assert "Taken as" not in str(told)
    assert told.cause == ("name",) or letter == "1"  # which is a line of NumPy


def test_what_was_run_may_be_a_bare_name():
    for typed in ("dH1", " dH1 ", "dY1 = dH1"):
        assert solve(1, typed), typed
        assert solve(1, typed, "dY1"), typed
    assert solve(1, "dH1", "dW1").cause == ("line",)
    assert solve(seed=20, difficulty=3, line="b2_new", mistake="b2")
    assert str(solve(1, "dW1")).startswith("dW1 is a line, not a mistake: ")


def test_a_line_that_is_typed_gives_the_numbers_that_are_shown():
    """It is not enough that it is another way to write the mistake."""
    p = random_problem(3, samples=5, hidden=(4, 3), activation=Tanh(), loss=MeanSquaredError())
    cases = [{"problem": p, "seed": 1}, {"problem": p, "seed": 2}]
    cases += [{"seed": seed, "difficulty": difficulty} for seed in range(count(200, 10)) for difficulty in (1, 2, 3)]
    refused = 0
    for drawn in (*cases, {"seed": 118, "difficulty": 2}):
        right, line, _ = mysteries._open(None, drawn["seed"], drawn.get("difficulty"), drawn.get("problem"))
        shown = mystery(**drawn)[line]
        for code, value in {
            code: value for m in MISTAKES.values() for code, value in m.wrong_values(right, line)
        }.items():
            gives = np.shape(value) == np.shape(shown) and np.allclose(value, shown, rtol=1e-9, atol=1e-12)
            assert bool(solve(line=line, mistake=code, **drawn)) == bool(gives), (drawn, code)
            refused += not gives
    assert refused
    told = solve(seed=118, difficulty=2, line="dy_pred", mistake="P - y.argmax(axis=1, keepdims=True)")
    assert str(told) == "Not this one: that line would give other numbers."
    for typed, seed in (("-dY1.sum(axis=0)", 3), ("dW2.sum(axis=0)", 1), ("dH1.sum(axis=0)", 7)):
        told = solve(seed=seed, difficulty=1, mistake=typed)
        assert told.cause == ("shape",)
        assert str(told).startswith("Nearly: that line gives these numbers, but in shape ("), str(told)
    for typed in ("np.sinh(Y2)", "np.arctan(Y2)"):
        assert not solve(problem=p, seed=1, line="H2", mistake=typed)
    assert solve(1, "dH1 @ (H1 > 0)").cause == ("shape",)


@pytest.mark.parametrize("name", ["planar_tanh_sigmoid", "batchnorm_layer", "min_char_rnn"])
def test_a_mistake_in_a_program_is_hidden_and_found(name):
    p = programmed(name)
    for seed in range(3):
        case = mystery(problem=p, seed=seed)
        line, right = first_wrong_line(case), trace(p)
        assert case.step(line).code == right.step(line).code
        hidden = {*check(line, case[line], right).cause}
        assert hidden <= MISTAKES.keys()
        assert all(solve(mistake=each, problem=p, seed=seed) for each in hidden)
        other = next(step.name for step in case.steps if step.name != line and step.role == "gradient")
        assert solve(mistake=min(hidden), line=other, problem=p, seed=seed).cause == ("line",)
    with pytest.raises(ValueError, match="has a seed, and neither a number nor a difficulty"):
        mystery(problem=p)


def test_a_line_that_one_suspects_may_be_typed_in_any_way_to_write_it():
    for typed in ("np.matmul(dy_pred, W2)", "dH1 = np.dot(dy_pred, W2)", "dy_pred.dot(W2)"):
        assert solve(5, typed), typed
        assert solve(5, typed, "dH1 = dy_pred @ W2.mT"), typed
    assert solve(5, "dy_pred @ W2.T * 1.5").cause == ("value",)
    assert "a right line" in str(solve(5, "np.dot(dy_pred, W2.T)"))
    assert solve(5, "dW2 = H1.T @ dy_pred * 2").cause == ("line",)
    assert "a right line" in str(solve(line="L", mistake="np.sum((y_pred - y) ** 2)", seed=2, difficulty=2))
    assert solve(mistake="db2 = b2", seed=0, difficulty=1)
    for typed, seed, difficulty in (
        ("lr * dW1", 0, 2),
        ("np.abs(y_pred - y)", 2, 3),
    ):  # of the mistake, not what was run
        assert solve(mistake=typed, seed=seed, difficulty=difficulty).cause == ("value",), typed
    p = program("E = x * w - y\nL = np.sum(E**2)", {"w": [2.0, 3.0]}, {"x": [1.0, -2.0], "y": [0.5, 1.0]}, lr=0.1)
    seed = next(seed for seed in range(99) if solve(problem=p, seed=seed, mistake="w_new = w - dw"))
    assert solve(problem=p, seed=seed, mistake="w - dw", line="w_new"), "not the words of a title"
    assert solve(5, "X = 2 * X").message == "Not this one: X is given."


def test_a_line_that_one_suspects_is_told_apart_however_small_the_numbers_are():
    p = random_problem(3)
    small = p.evolve(data={"X": p.X * 1e-9, "y": p.y * 1e-9})
    case = mystery(problem=small, seed=3)
    (broken,) = [step.name for step in case.steps if not np.array_equal(evaluate(step.code, case), step.value)]
    assert solve(mistake=f"0 * {broken}", problem=small, seed=3).cause == ("value",)


def test_in_a_network_of_ones_own_the_wrong_line_differs_in_the_digits_that_numpy_prints():
    """Adam's eps in another place does not, as a rule."""
    p = random_problem(2, optimizer=Adam())
    right = trace(p)
    for seed in range(30):
        t = mystery(seed=seed, problem=p)
        far = [relative_error(t[step.name], right[step.name]) for step in right.steps]
        assert any(not error < 1e-6 for error in far)


def test_a_mystery_with_numbers_that_are_not_finite_is_solved_by_what_was_run():
    """Where a unit is dead and Adam counts from 0, 0 is divided by 0."""
    p = random_problem(22, optimizer=Adam())
    assert np.isnan(mystery(seed=5, problem=p)["vhatW1"]).any()
    for said in ("adam-counted-from-zero", "vW1_new / (1 - 0.999**(step - 1))"):
        assert solve(seed=5, problem=p, mistake=said, line="vhatW1")


def test_a_mistake_is_right_by_its_name_in_each_way_to_write_it():
    hidden = {"seed": 8, "problem": random_problem(1, optimizer=Momentum())}
    assert solve(mistake="(1 - 0.9) * db1", **hidden)
    assert solve(mistake="velocity-forgotten", **hidden)


@pytest.mark.parametrize("said", ["no", "not", "No."])
def test_no_and_not_say_nothing(said):
    assert solve(5, said, line="dH1").cause == ("name",)


def test_a_line_is_told_from_one_whose_name_differs_by_capitals_alone():
    p = program("A = x * v\nL = np.sum((A * V - y) ** 2)", {"v": [2.0], "V": [3.0]}, {"x": [1.5], "y": [0.5]})
    drawn = {mysteries._open(None, seed, None, p)[1]: seed for seed in range(20)}
    for name, other in (("dV", "dv"), ("dv", "dV")):
        seed = drawn[name]
        hidden = mysteries._open(None, seed, None, p)[2]
        assert solve(problem=p, seed=seed, line=name, mistake=hidden)
        assert solve(problem=p, seed=seed, line=other, mistake=hidden).cause == ("line",)


@pytest.mark.parametrize("seed", [2, 5, 12])
def test_a_line_alone_is_judged_by_itself(seed):
    right, hidden, _ = mysteries._open(None, seed, 2, None)
    told = {step.name: str(solve(seed=seed, difficulty=2, line=step.name)) for step in right.steps}
    assert [name for name, said in told.items() if said.startswith(f"You have found the line, {name}.")] == [hidden]
    assert all(said.startswith(f"The mistake is not in {name}:") for name, said in told.items() if name != hidden)
    assert not solve(seed=seed, difficulty=2, line=hidden)
    assert "no line called 'dW9'" in str(solve(seed=seed, difficulty=2, line="dW9"))
