"""Lines to put in order: which orders are right, what is said of the others, and that no gesture loses a line."""

import re

import numpy as np
import pytest
from common import button, check_cases, count, kept, plain, tell, view_of
from known_programs import programmed
from own_parts import OWN_PROBLEMS, Huber
from problems import varied_problem

from backprop_lab import EXAMPLES, MISTAKES, random_problem, trace, worked_example
from backprop_lab.course.puzzle import GOALS, PARTS, Puzzle, judge
from backprop_lab.nn.lines import NAMESPACE, evaluate
from backprop_lab.ui import LineUp


def run_in_order(program, known):
    """What Python makes of lines in this order: the number of the line and the name that it does not know, or None."""
    values = {**NAMESPACE, **known}
    for number, line in enumerate(program):
        try:
            values[line.name] = evaluate(line.code, values)
        except NameError as error:
            return number, error.name
    return None


def computable(left, known, rng):
    order = []
    while runs := [line for line in left if line not in order and run_in_order([*order, line], known) is None]:
        order.append(runs[rng.integers(len(runs))])
    return order


WAYS = {"forward": "Forward", "backward": "Back"}


def goal_of(step):
    """What a line of our own layers is for: it is one of the layer whose number is the largest in it."""
    way, numbers = WAYS.get(step.phase), re.findall(r"[A-Za-z](\d)\b", f"{step.name} {step.code}")
    return f"{way} through layer {max(numbers)}" if way and numbers else GOALS[step.phase]


def test_every_order_that_python_can_run_is_right_and_no_other():
    problems, refused, wrong_lines = [*map(varied_problem, range(count(200))), *OWN_PROBLEMS.values()], 0, 0
    for seed, problem in enumerate(problems):
        rng, part = np.random.default_rng(seed), [*PARTS][seed % 3]
        t, puzzle = trace(problem), Puzzle(problem, part, seed)
        known, right = {name: t[name] for name in puzzle.known}, [line for line in puzzle.lines if not line.mistake]
        names = [step.name for step in t.steps if step.phase in PARTS[part]]
        assert Puzzle(problem, part, seed).lines == puzzle.lines
        assert sorted(line.name for line in right) == sorted(names)
        assert puzzle.needed == names, "the order in which they are told to be missing"
        assert all(line.code == t.step(line.name).code for line in right)
        assert seed >= count(200) or all(line.goal == goal_of(t.step(line.name)) for line in puzzle.lines)
        wrong = [line for line in puzzle.lines if line.mistake]
        assert len({line.name for line in wrong}) == len(wrong)
        if len(wrong) != max(3, len(right) // 4):  # then no more lines can be wrong
            can_be = {name for each in MISTAKES.values() for name in each.possible_at(t)} & {*names}
            assert (len(wrong), len(problem.network.layers)) == (len(can_be), 1)
        order = computable(right, known, rng)
        assert judge(order, puzzle.known, names).ok
        assert judge(order[:-1], puzzle.known, names).cause[0] == ("missing" if len(order) > 1 else "blank")
        for shuffled in ([right[k] for k in rng.permutation(len(right))] for _ in range(3)):
            feedback, stopped = judge(shuffled, puzzle.known, names), run_in_order(shuffled, known)
            refused += stopped is not None
            assert feedback.ok == (stopped is None)
            if stopped:
                assert (feedback.where, feedback.cause) == ((stopped[0],), ("unknown", stopped[1]))
                assert f"Line {stopped[0] + 1}, `{shuffled[stopped[0]].text}`, needs {stopped[1]}," in str(feedback)
        for line in wrong:
            wrong_lines += 1
            value = line.mistake.wrong_value(t, line.name)
            fits = value is not None and np.shape(value) == np.shape(t[line.name])
            assert not fits or not np.allclose(value, t[line.name], rtol=1e-12, atol=0)
            at = int(rng.integers(len(order) + 1))
            feedback = judge([*order[:at], line, *order[at:]], puzzle.known, names)
            assert (feedback.cause, feedback.where) == ((line.mistake.name,), (at,))
            assert f"is a mistake: {line.mistake.titled(t.step(line.name))}. {line.mistake.cause}" in str(feedback)
    print(f"{len(problems)} puzzles; {refused} wrong orders refused, {wrong_lines} wrong lines named")  # noqa: T201
    assert min(refused, wrong_lines) > 0


def placed(*lines):
    """Where each of some lines is in words, once the last two are put first, and the others below all goals."""
    puzzle = Puzzle(worked_example())
    for at, line in enumerate(lines, start=1):
        puzzle.move(line, "program", 99 if at < len(lines) - 1 else 0)
    return "\n".join([*map(puzzle.where, (*lines, 4)), str(puzzle.place)])


def test_the_lines_to_choose_from_are_the_same_for_everybody():
    check_cases("orders", globals())


def test_no_gesture_loses_or_doubles_a_line_and_the_goals_stay_in_order():
    puzzle, rng = Puzzle(random_problem(1, hidden=(3, 3)), seed=2), np.random.default_rng(3)
    everything = [*range(-len(puzzle.goals), len(puzzle.lines))]
    for _ in range(count(5000, part=1)):
        line, at = int(rng.integers(-2, len(puzzle.lines) + 2)), int(rng.integers(-3, 60))
        before, to = puzzle.place, str(rng.choice(["pool", "program", "nowhere"]))
        try:
            puzzle.move(line, to, at)
            others = [each for each in getattr(before, to) if each != line]
            assert getattr(puzzle.place, to).index(line) == min(max(at, to == "program"), len(others))
        except ValueError:
            assert puzzle.place == before
            assert not 0 <= line < len(puzzle.lines) or to == "nowhere"
        assert sorted(puzzle.place.pool + puzzle.place.program) == everything
        assert [k for k in puzzle.place.program if k < 0] == [-1 - k for k in range(len(puzzle.goals))]
        assert puzzle.place.program[0] == -1
    puzzle.start_over()
    assert puzzle.program == []


def put(lab, *texts):
    """Put lines into the program, one below the other under its last goal."""
    numbers = {line.text: number for number, line in enumerate(lab.puzzle.lines)}
    for text in texts:
        tell(lab, "move", {"line": numbers[text], "to": "program", "at": 99})


def checked(lab):
    button(lab, "Check").click()
    return plain(lab.children[-1].value)


def test_a_goal_is_no_rule_and_a_verdict_goes_with_its_order():
    lab = LineUp(part="forward")
    put(lab, "Y1 = X @ W1 + b1", "y_pred = H1 @ W2 + b2")
    assert view_of(lab).said == 'y_pred = H1 @ W2 + b2: line 2 of 2 of your program, under "How wrong is it?".'
    assert "Line 2, y_pred = H1 @ W2 + b2, needs H1, which is not known yet" in checked(lab)
    assert view_of(lab).lines[view_of(lab).wrong] == "y_pred = H1 @ W2 + b2"
    put(lab, "H1 = np.maximum(Y1, 0)")
    assert (lab.children[-1].value, view_of(lab).wrong) == ("", -1)
    put(lab, "y_pred = H1 @ W2 + b2", "L = np.sum((y_pred - y) ** 2)")
    assert checked(lab) == "Right. All 4 lines can be computed in this order."
    button(lab, "Start again").click()
    assert view_of(lab).place["program"] == (-1, -2, -3)


def test_what_is_given_is_told_and_before_the_backward_pass_its_lines():
    text = {part: plain(LineUp(part=part).children[0].value) for part in PARTS}
    for part in PARTS:
        assert "Linear → ReLU → Linear. Loss: sum of squares. Given: X, y, W1, b1, W2, b2, lr" in text[part]
        assert ("H1 = np.maximum(Y1, 0)" in text[part]) == (part == "backward")
    lab = LineUp(random_problem(1, hidden=(3, 2), loss=Huber()))
    assert "Linear → ReLU → Linear → ReLU → Linear. Loss: Huber." in plain(lab.children[0].value)
    listed = plain(kept(lab)["text/html"])
    assert all(line.text in listed for line in lab.puzzle.lines), "without a kernel, the lines can be read"


OWN = "m = X.mean(axis=0)\nD = X - m\nv = (D**2).mean(axis=0)"


def follow_hints(puzzle):
    """Place what each hint says, until it says no more; the number of hints."""
    for said in range(99):
        if puzzle.judge():
            return said
        name = re.match(r"You could compute (\w+) next", puzzle.hint())[1]
        text = re.search("`(.*)`", puzzle.hint(more=True))[1]
        assert text.startswith(f"{name} = ")
        puzzle.move([line.text for line in puzzle.lines].index(text), "program", 999)
    raise AssertionError


@pytest.mark.parametrize("name", ["planar_tanh_sigmoid", "causal_attention", "cbow"])
def test_the_lines_of_a_program_are_put_in_order_with_a_hint_for_each(name):
    p = programmed(name)
    for part in PARTS:
        puzzle = Puzzle(p, part, 1)
        assert follow_hints(puzzle) == len(puzzle.needed)
        wrong = [k for k, line in enumerate(puzzle.lines) if line.is_wrong]
        assert wrong or part == "forward"
        for k in wrong:
            puzzle.start_over()
            puzzle.move(k, "program", 1)
            assert puzzle.judge().cause == (puzzle.lines[k].mistake.name,)
            assert puzzle.hint() == str(puzzle.judge()), "what stands wrong is told first"
    assert "Given: " in plain(LineUp(p).children[0].value)


def test_lines_of_a_teachers_own_are_put_in_order_and_wrong_ones_say_why():
    lab = LineUp(lines=OWN, wrong={"D = m - X": "The mean is taken off.", "v = D.mean(axis=0)": ""})
    assert lab.puzzle.known == ("X",)
    put(lab, "m = X.mean(axis=0)", "D = m - X")
    assert "Line 2, D = m - X, is a mistake: The mean is taken off." in checked(lab)
    lab.puzzle.start_over()
    put(lab, "v = D.mean(axis=0)")
    assert "does not belong in the program" in checked(lab)
    lab.puzzle.start_over()
    put(lab, "D = X - m")
    assert "needs m, which is not known yet" in checked(lab)
    lab.puzzle.start_over()
    button(lab, "Hint").click()
    assert plain(lab.children[-1].value) == "You could compute m next, from X."
    button(lab, "Hint").click()
    assert plain(lab.children[-1].value) == "You could compute m next: m = X.mean(axis=0)."
    assert follow_hints(lab.puzzle) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"lines": "D = X - m\nm = X.mean(axis=0)"}, "`D = X - m` needs m, which comes later"),
        ({"lines": "W = W - lr * dW"}, "`W = W - lr * dW`: W is given: choose another name for what the line computes"),
        ({"lines": "for x in X: pass"}, "line 1"),
        ({"lines": OWN, "problem": worked_example()}, "a problem or lines of your own, not both"),
        ({"wrong": "D = m - X"}, "go with lines of your own"),
        ({"lines": OWN, "wrong": "D - X"}, "line 1"),
        ({"lines": ""}, "there are no lines"),
    ],
)
def test_what_is_no_line_of_ones_own_is_refused_in_words(options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        LineUp(**options)


@pytest.mark.parametrize(
    ("wrong", "lines"),
    [
        ("# not this\nD = m - X", ["D = m - X"]),
        ("D = m - X; m = X", ["D = m - X", "m = X"]),
        ("D = (m\n     - X)\nD = m", ["D = m", "D = m - X"]),
        ("D = m - X\nD = m - X", ["D = m - X"]),
        ("", []),
        (["D = m", " ", "D = m - X"], ["D = m", "D = m - X"]),
        ("\n    D = m\n    m = X\n", ["D = m", "m = X"]),
    ],
)
def test_wrong_lines_are_read_as_right_ones_are_and_each_is_there_once(wrong, lines):
    found = LineUp(lines="m = X.mean(axis=0)\nD = X - m", wrong=wrong).puzzle.lines
    assert sorted(re.sub(r"[()\n]| {2,}", "", line.text) for line in found if line.is_wrong) == lines


@pytest.mark.parametrize("wrong", [[("D = m - X", "why")], {5: "why"}, [None], [b"D = m"], [["D = [m]", 5]]])
def test_what_is_no_text_is_no_wrong_line(wrong):
    with pytest.raises(ValueError, match=r"lines are a text, such as|`why`: a line is"):
        LineUp(lines="m = X.mean(axis=0)\nD = X - m", wrong=wrong)


def test_what_is_right_is_not_wrong_as_well_and_one_line_is_not_all_lines():
    with pytest.raises(ValueError, match=r"`v = D  -  m` is among your lines"):
        LineUp(lines="v = D - m", wrong=["v = m", "v = D  -  m"])
    with pytest.raises(ValueError, match="got 5"):
        LineUp(lines=OWN, wrong=5)
    puzzle = LineUp(lines="m = X.mean(axis=0)").puzzle
    puzzle.move(0, "program", 1)
    assert str(puzzle.judge()) == "Your line can be computed."
    puzzle = LineUp(lines="m = X.mean(axis=0)\nD = X - m").puzzle
    assert follow_hints(puzzle) == 2
    assert str(puzzle.judge()) == "Both lines can be computed in this order."


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (None, "does not belong in the program."),
        ("it is turned round", "is a mistake: it is turned round."),
        ("Why turn it round? ", "is a mistake: Why turn it round?"),
    ],
)
def test_the_reason_of_a_wrong_line_may_be_left_out_and_ends_as_a_sentence(why, said):
    lab = LineUp(lines="a = x\nb = a", wrong={"b = x": why})
    put(lab, "a = x", "b = x")
    assert checked(lab).endswith(f"Line 2, b = x, {said}")
    assert lab.puzzle.needed == ["a", "b"]


@pytest.mark.parametrize("start", ["residual", "transformer block"])
def test_no_line_gives_itself_away_by_how_a_number_is_written(start):
    for seed in range(10):
        lines = Puzzle(EXAMPLES[start](), "whole", seed=seed).lines
        assert [each.code for each in lines if "e-0" in each.code] == []
