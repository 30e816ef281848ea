"""Programs in the labs: any graph has a board that reads, every cell of it is worked out, and all that a lab can do."""

import contextlib
import io
import json
import re
from itertools import pairwise

import numpy as np
import pytest
from common import PAGE, covers, pixels, places_in, tell, view_of
from known_programs import FORTY, PROGRAMS, programmed
from PIL import Image, ImageSequence

from backprop_lab import EXAMPLES, Adam, check_gradients, program, prove, trace, worked_example
from backprop_lab.reading.one_cell import indexed, work_out
from backprop_lab.reading.scale import scales_of
from backprop_lab.reading.slopes import in_rows, value_of
from backprop_lab.step.number_format import plain
from backprop_lab.ui import Exercises, LearningRateLab, LineUp, MistakeLab, StepThrough, draw_heatmaps
from backprop_lab.ui.board.columns import columns_of
from backprop_lab.ui.board.layout import LEAST_COLUMN, place_matrices, width_of
from backprop_lab.ui.board.operation import Operation
from backprop_lab.ui.rates.sweeper import Sweeper
from backprop_lab.ui.steps import words
from backprop_lab.ui.steps.script import numpy_script

ALL = {name: lambda name=name: programmed(name) for name in PROGRAMS}
ALL |= {name: make for name, make in EXAMPLES.items() if not make().stages}
SCREENS = [(930, 345), (980, 440), (1280, 330), (386, 330), (1000, np.inf)]


@pytest.mark.parametrize("name", ALL)
def test_every_value_stands_right_of_what_it_is_made_of_and_nothing_overlaps(name):
    t = trace(ALL[name]())
    before = [step for step in t.steps if step.phase in ("forward", "loss")]
    for width, height in SCREENS:
        found = place_matrices(t, width_of(t, width), height)
        places = places_in(found)
        assert np.array_equal(covers(places, places), np.eye(len(places))), (width, height)
        assert ((places >= 0) & (places <= [found.width + 1e-6, found.height + 1e-6] * 2)).all()
        assert {*found.boxes} == {*t.names}
        assert found.scales
        at = {name: box.x for name, box in found.boxes.items()}
        for step in before:
            made_of = [each for each in step.operands if each in {one.name for one in before}]
            counted = {each for each in made_of if f"{each}.shape" in step.code}
            assert all(at[each] < at[step.name] for each in {*made_of} - counted), step.name
            counted |= {each for each in step.operands if f"len({each})" in step.code or f"{each}.s" in step.code}
            assert all(at[each] <= at[step.name] for each in {*step.operands} - counted), step.name


@pytest.mark.parametrize("screen", SCREENS)
def test_the_colour_scales_have_a_place_beside_data_that_are_much_higher_than_all_else(screen):
    pool = "P = (X * w).reshape(2, 2, 2, 2, 2, 3).max(axis=(2, 4))\nS = P.sum(axis=(1, 2)) @ U\nL = np.mean((S - y)**2)"
    learnt, data = {"w": np.ones(3), "U": np.ones((3, 4))}, {"X": np.ones((2, 4, 4, 3)), "y": np.ones((2, 4))}
    for p in (program(pool, learnt, data), program(*FORTY["generator of a gan"])):
        t = trace(p)
        found = place_matrices(t, width_of(t, screen[0]), screen[1])
        assert found.scales
        places = places_in(found)
        assert np.array_equal(covers(places, places), np.eye(len(places)))


@pytest.mark.parametrize("name", ALL)
def test_each_gradient_stands_beneath_its_value_in_the_same_order(name):
    t = trace(ALL[name]())
    boxes = place_matrices(t, 980, 440).boxes
    of = dict(t.problem.upstream) | {step.name: step.of for step in t.steps if step.role == "gradient"}
    lowest = max(boxes[each].y for each in of.values())
    for gradient, value in of.items():
        assert boxes[gradient].x == boxes[value].x
        assert boxes[gradient].y > boxes[value].y
        assert boxes[gradient].y > lowest or boxes[gradient].row == "gradients"
    for column in {box.x for box in boxes.values()}:
        here = [name for name in of if boxes[name].x == column]
        assert sorted(here, key=lambda d: boxes[d].y) == sorted(here, key=lambda d: boxes[of[d]].y)


def test_a_chain_written_as_a_program_keeps_the_columns_of_the_network():
    network = worked_example()
    lines = "Y1 = X @ W1 + b1\nH1 = np.maximum(Y1, 0)\ny_pred = H1 @ W2 + b2\nL = np.sum((y_pred - y)**2)"
    chain = program(lines, network.parameters, network.data, lr=network.lr)

    def columns(problem):
        each = [[[m for m in row if " " not in m[0]] for row in column.rows] for column in columns_of(trace(problem))]
        return [[sorted(row) for row in rows] for rows in each]

    assert columns(chain) == columns(network)
    assert place_matrices(trace(chain), 930, 345).edges == []


def test_what_skips_a_level_has_an_edge_and_what_only_lends_its_size_has_none():
    t = trace(EXAMPLES["attention"]())
    found = place_matrices(t, 930, 345)
    ends = {(one, to) for one, to in found.edges}
    V, A, Q, Z = (found.boxes[name] for name in ("V", "O", "Q", "Z"))
    assert ends == {((V.x + V.width, V.y + V.height / 2), (A.x, A.y + 0.8 * A.height))}
    assert "Q.shape" in t.step("S").code + t.step("Z").code
    assert Q.x < Z.x


def test_nearly_every_cell_of_a_program_is_worked_out_in_numbers():
    """At least 98 % of the first thousand cells of each program, and 90 % of each, with what they are made of."""
    done, cells = 0, 0
    for name, make in ALL.items():
        t, here = trace(make()), []
        for step in t.steps:
            rows, cols = value_of(t, step.name).shape
            for at in np.ndindex(rows, cols):
                if len(here) < 1000:
                    worked = work_out(t, (step.name, *at))
                    assert worked.indexed == indexed(t, worked.cell)
                    here.append(bool((worked.numbers and worked.numbers != worked.symbols) or not worked.sources))
        assert np.mean(here) >= 0.9, name
        done, cells = done + sum(here), cells + len(here)
    assert cells > 5000
    assert done >= 0.98 * cells


def moved(code, **values):
    data = {"y": np.ones(())}
    return trace(program(f"v = {code}\nL = np.sum(v**2) * y", values, data))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "code", ["w.sum() / (2 * len(w))", "w.sum() * (y + 1)", "w.sum() / (x @ x)", "-w.mean() / y**2"]
)
def test_what_is_done_with_a_sum_gives_the_cell(code):
    t = trace(program(f"L = {code}", {"w": np.array([0.5, -1.25, 3.0])}, {"y": 1.5, "x": np.arange(3)}))
    worked = work_out(t, ("L", 0, 0))
    said = worked.around.replace(")(", ")*(").translate(str.maketrans({"·": "*", "−": "-", "²": "**2"}))
    assert said.startswith(("sum", "-sum"))
    added = sum(float(term.written.replace("−", "-")) for term in worked.every_term)
    came_to = eval(said, {"sum": added})
    assert came_to == pytest.approx(t["L"], rel=1e-3)
    assert worked.sign_of_sum == ("=" if plain(came_to) == worked.value else "≈")


@pytest.mark.parametrize(
    "code",
    [
        "w[1:, 1:3]", "w.reshape(2, 6)", "w.T", "np.concatenate([w, 2 * w], axis=1)", "w[None, 1:2]",
        "np.stack([w, w], axis=1)", "np.einsum('ij,kj->ik', w, w)", "w[2]",
        "w[None] @ w.mT", "w.var(axis=0)", "w @ w[0]", "w[0] @ w.mT", "w.mT[1]", "w[None].mT",
        "np.outer(w[0], w[1])", "w[0] + np.inner(w[1], w[2])", "np.hstack([w, 2 * w])", "np.vstack((w, w[1:]))",
        "np.column_stack([w[0], w[1]])", "np.ravel(w)", "w.flatten()", "w.copy()",
    ],
)  # fmt: skip
def test_a_cell_is_made_of_those_cells_that_change_it(code):
    """Moved by itself, each source changes the cell, and no other number does."""
    w = np.random.default_rng(0).uniform(0.5, 1.5, (3, 4))
    t = moved(code, w=w)
    for at in np.ndindex(*value_of(t, "v").shape):
        sources = {cell[1:] for cell in work_out(t, ("v", *at)).sources}
        found = set()
        for place in np.ndindex(*w.shape):
            other = w.copy()
            other[place] += 0.01
            if value_of(moved(code, w=other), "v")[at] != value_of(t, "v")[at]:
                found.add(place)
        assert sources == found, at


@pytest.mark.parametrize("name", ALL)
def test_the_lab_goes_through_every_step_of_a_program_and_back_to_its_call(name):
    lab = StepThrough(ALL[name]()) if name in PROGRAMS else StepThrough(start=name)
    tell(lab, "page", PAGE)
    for step in lab.trace.steps:
        tell(lab, "do", {"what": "next"})
        tell(lab, "cell", {"cell": [step.name, 0, 0], "pinned": True})
        state = view_of(lab).state
        assert (lab.step, state["index"]) == (step.name, lab.trace.steps.index(step) + 1)
        assert state["sum"]["cell"] == indexed(lab.trace, (step.name, 0, 0))
        assert not state["wrong"]
    first = lab.trace[lab.trace.problem.loss_name]
    lab.go("dX" if "dX" in lab.trace else None, iteration=2)
    assert lab.trace[lab.trace.problem.loss_name] != first
    assert check_gradients(lab.trace.problem)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(numpy_script(lab.trace), values := {})
    assert all(np.array_equal(values[step.name], step.value) for step in lab.trace.steps)
    again = eval(lab.call(), {"StepThrough": StepThrough, "problem": ALL[name]()})
    assert again.trace[lab.trace.problem.loss_name] == lab.trace[lab.trace.problem.loss_name]


@pytest.mark.parametrize("spec", ["nd,dh->nh", "nd,md->nm", "nd,nd->n", "nd,hn->hnd", "nd,dn->"])
def test_every_einsum_is_drawn_at_each_step_and_saved(spec, tmp_path):
    rng, sizes = np.random.default_rng(0), {"n": 4, "d": 3, "h": 2, "m": 2}
    A, W = (rng.standard_normal([sizes[each] for each in letters]) for letters in spec.split("->")[0].split(","))
    lab = StepThrough(
        program(f'S = np.einsum("{spec}", A, W)\nR = S + W.sum()\nL = np.mean(R[None]**2)', {"W": W}, {"A": A})
    )
    tell(lab, "page", PAGE)
    for step in lab.trace.steps:
        tell(lab, "do", {"what": "next"})
        assert (lab.step, view_of(lab).note) == (step.name, {})
    lab.save(tmp_path / "walk.html")


def test_max_pooling_by_a_reshape_has_no_line_of_more_axes_than_a_lab_shows():
    lines = "P = (X * w).reshape(2, 2, 2, 2, 2, 3).max(axis=(2, 4))\nL = np.sum(P**2)"
    lab = StepThrough(program(lines, {"w": np.ones(3)}, {"X": np.random.default_rng(0).standard_normal((2, 4, 4, 3))}))
    for step in lab.trace.steps:
        tell(lab, "do", {"what": "next"})
        assert (lab.step, view_of(lab).note) == (step.name, {})
    assert max(check_gradients(lab.trace.problem).values()) < 1e-6


def test_predict_first_asks_and_judges_at_programs_too():
    lab, asked = StepThrough(start="lstm"), 0
    lab.stepper.predict(True)
    while lab.stepper.place.iteration == 0:
        lab.stepper.next()
        if lab.stepper.place.question:
            name, i, j = lab.stepper.place.question
            value = float(value_of(lab.trace, name)[i, j])
            is_way = lab.trace.role(name) != "gradient"
            lab.stepper.answer("up" if is_way else repr(value))
            asked += 1
    assert asked > 10
    assert lab.stepper.place.right >= 10


def test_numbers_of_a_program_can_be_changed_and_whole_numbers_stay_whole():
    lab = StepThrough(start="word vectors")
    lab.stepper.choose(("C", 1, 2), pinned=True)
    lab.stepper.edit(0.25)
    assert lab.trace["C"][1, 2] == 0.25
    lab.stepper.choose(("left", 0, 1), pinned=True)
    with pytest.raises(ValueError, match=r"left holds int64 numbers, and 0\.5 is not one"):
        lab.stepper.edit(0.5)
    lab.stepper.edit(2)
    assert lab.trace["left"].tolist() == [0, 2, 2, 0]
    lab.stepper.choose(("left", 0, 1), pinned=True)
    with pytest.raises(ValueError, match="99"):
        lab.stepper.edit(99)
    assert lab.trace["left"].tolist() == [0, 2, 2, 0]


def test_what_means_nothing_to_a_program_is_not_offered_and_its_link_names_it():
    lab = StepThrough(start="rnn", seed=4, step="da2", lr=0.02)
    shown = [field for field, control in lab._controls._fields.items() if control.layout.display != "none"]
    assert not {*shown} & {
        "samples",
        "inputs",
        "hidden",
        "layers",
        "outputs",
        "activation",
        "loss",
        "norm",
        "dropout",
        "penalty",
    }
    assert {"start", "optimizer"} <= {*shown}
    assert "start=rnn&seed=4" in lab.link()
    with pytest.raises(ValueError, match="A link holds no lines of your own, only the name of an example"):
        StepThrough(programmed("rnn_cell")).link()


def test_a_cell_of_three_axes_is_named_as_in_numpy():
    lab = StepThrough(programmed("makemore_4"), step="emb", cell="emb[1,2,0]")
    name, i, j = lab.stepper.place.cell
    assert in_rows(lab.trace["emb"])[i, j] == lab.trace["emb"][1, 2, 0] == value_of(lab.trace, name)[i, j]
    assert "cell='emb[1,2,0]'" in lab.call()
    for other in ("emb[1,2]", "emb[9,0,0]", "emb"):
        with pytest.raises(ValueError, match="there is no emb"):
            StepThrough(programmed("makemore_4"), step="emb", cell=other)


def test_the_shape_above_a_matrix_is_that_of_its_value():
    """Also where it lies on the board in other rows: a reshape shows which axes it gives, and a flat bias is flat."""
    data = {"X": np.arange(12.0).reshape(4, 3), "y": np.arange(3)}
    problem = program(
        "A = X @ W + b\nB = A.reshape(2, 2, 3)\nL = ((B - y)**2).sum()", {"W": np.eye(3), "b": np.ones(3)}, data
    )
    t = trace(problem)
    picture = Operation(scales_of([t]), 900, 300)
    for name, labels in (
        ("A", ["X (4, 3)", "W (3, 3)", "b (3,)", "A (4, 3)"]),
        ("B", ["A (4, 3)", "B (2, 2, 3)"]),
        ("dW", ["X.mT (3, 4)", "dA (4, 3)", "dW (3, 3)"]),
        ("b_new", ["b (3,)", "db (3,)", "b_new (3,)"]),
    ):
        picture.draw(t, [step.name for step in t.steps].index(name) + 1)
        assert [word.text for word in picture.shown.labels if "(" in word.text] == labels
    assert "<caption>B, 2 by 2 by 3</caption>" in words.table(StepThrough(problem, step="L").stepper.place)


def test_pointing_at_a_value_tells_what_it_goes_into_in_a_program_alone():
    users = view_of(StepThrough(start="attention")).layout_of_steps["users"]
    assert users["X"][:3] == ["Q", "K", "V"]
    assert "dA" in users["V"]
    assert view_of(StepThrough()).layout_of_steps["users"] == {}
    p = program("q = X @ w\nL = q.mean()", {"w": np.ones(2)}, {"X": np.eye(2)})
    assert trace(p).step("dq").code.startswith("np.full_like(q, ")
    assert view_of(StepThrough(p)).layout_of_steps["users"]["q"] == ["L"], "dq asks only how large it is"


def test_a_number_that_hides_others_does_not_set_their_colours():
    hidden = "S = X @ W.mT\nA = np.exp(np.where(see, S, -1e9))\nL = np.sum((A - y)**2)"
    W, X = np.eye(3) / 2, np.eye(3)
    t = trace(program(hidden, {"W": W}, {"X": X, "y": X, "see": np.tri(3, dtype=bool)}))
    assert scales_of([t]).values.limit <= 5
    t = trace(program("S = W + hide\nL = np.sum(np.exp(S))", {"W": W}, {"hide": np.triu(np.full((3, 3), -1e9), 1)}))
    assert scales_of([t]).values.limit <= 5
    t = trace(programmed("causal_attention"))
    assert scales_of([t]).values.limit <= 5
    large = worked_example().evolve(X=1e8 * worked_example().X)
    assert scales_of([trace(large)]).values.limit >= 1e8
    tiny = {"W": 1e-9 * np.arange(1.0, 10).reshape(3, 3)}  # beside which a 1 hides nothing
    assert scales_of([trace(program("L = np.sum((X @ W + X)**2)", tiny, {"X": np.eye(3)}))]).values.limit >= 1


def test_on_a_phone_a_board_of_many_columns_is_wider_than_the_page_and_elsewhere_as_wide():
    block, chain = trace(EXAMPLES["transformer block"]()), trace(worked_example())
    assert width_of(block, 390) >= 20 * LEAST_COLUMN
    assert [width_of(t, width) for t, width in ((block, 930), (chain, 390))] == [930, 390]


@pytest.mark.parametrize("name", ["rnn", "word vectors", "convolution"])
def test_the_learning_rate_lab_trains_a_program_as_each_run_alone(name):
    sweeper = Sweeper(problem=EXAMPLES[name](), seeds=3, steps=12)
    for _ in sweeper.train():
        pass
    runs = sweeper.state.runs
    for run in ((0, 10), (2, 30)):
        problem = runs.problem(run)
        for _ in range(12):
            problem = trace(problem).next_problem()
        assert float(trace(problem)[problem.loss_name]) == pytest.approx(runs.losses(run)[-1], rel=1e-6)
    assert LearningRateLab(EXAMPLES[name](), seeds=3, steps=12).sweeper.state.wanted.choices["activation"] == (
        "as given",
    )


def test_memories_of_a_program_stand_beside_or_beneath_their_parameters():
    t = trace(program("L = np.sum((X @ W + b - y)**2)", *by_parts(), optimizer=Adam()))
    boxes = place_matrices(t, 930, 345).boxes
    assert {"mW", "vW", "mb", "vb", "mW_new", "vb_new"} <= {*boxes}
    assert boxes["mW"].x >= boxes["W"].x
    rnn = EXAMPLES["rnn"]()
    edges = [len(place_matrices(trace(each), 1000).edges) for each in (rnn, rnn.evolve(optimizer=Adam()))]
    assert edges[0] == edges[1] > 0  # a column of memories is no level


def by_parts():
    rng = np.random.default_rng(3)
    return {"W": rng.random((3, 2)), "b": rng.random((1, 2))}, {"X": rng.random((4, 3)), "y": rng.random((4, 2))}


def test_every_lab_is_saved_on_light_and_dark_paper_and_refuses_what_it_cannot_be(tmp_path):
    labs = StepThrough(start="lstm", step="da"), MistakeLab(start="mazur"), LearningRateLab(seeds=2, steps=20)
    for lab in labs:
        papers = []
        for dark in (False, True):
            lab.save(tmp_path / "one.png", dark=dark, scale=1.5)
            papers.append(pixels((tmp_path / "one.png").read_bytes())[2, 2].max())
        assert papers[0] > 200 > 64 > papers[1]
        with pytest.raises(ValueError, match=r"saved as .*png.* got '.*one\.docx'"):
            lab.save(tmp_path / "one.docx")
        for scale in (0, 100, "2", True):
            with pytest.raises(ValueError, match=r"scale must be a number from 0\.25 to 8"):
                lab.save(tmp_path / "two.png", scale=scale)
    LineUp().save(tmp_path / "lines.html")
    page = (tmp_path / "lines.html").read_text()
    assert "dy_pred = 2 * (y_pred - y)" in page
    assert all(each in page for each in ("Number the lines in the boxes", "width=device-width", "light dark"))
    for dark in (False, True):
        draw_heatmaps({"P": np.eye(2)}, dark=dark).save(tmp_path / "maps.png")
        assert (pixels((tmp_path / "maps.png").read_bytes())[2, 2].max() > 128) == (not dark)
    for lab, ending in ((LineUp(), "png"), (draw_heatmaps({"P": np.eye(2)}), "svg")):
        with pytest.raises(ValueError, match=f"saved as .* got '.*one.{ending}'"):
            lab.save(tmp_path / f"one.{ending}")
    assert not (tmp_path / "two.png").exists()


@pytest.mark.parametrize(
    "kind", ["StepThrough()", "MistakeLab()", "LearningRateLab(seeds=2, steps=20)", "LineUp()", "MAP"]
)
def test_a_lab_is_saved_into_a_folder_that_there_is(tmp_path, kind):
    lab = draw_heatmaps({"P": np.eye(2)}) if kind == "MAP" else eval(kind)
    ending = "html" if kind == "LineUp()" else "png"
    with pytest.raises(ValueError, match=rf"there is no folder '.*none' for one\.{ending}: make it first"):
        lab.save(tmp_path / "none" / f"one.{ending}")
    for path in (None, 3):
        with pytest.raises(ValueError, match=rf"saved as .*; got {path}"):
            lab.save(path)
    lab.save(str(tmp_path / f"one.{ending}"))
    assert [each.name for each in tmp_path.iterdir()] == [f"one.{ending}"]


def test_a_gif_is_as_slow_as_asked(tmp_path):
    lab = StepThrough(start="mazur")
    lab.save(tmp_path / "slow.gif", seconds=0.5, scale=0.25, dark=True)
    with Image.open(tmp_path / "slow.gif") as gif:
        times = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
    assert times == [500] * (len(lab.trace.steps) - 1) + [1500]
    for seconds in (0, -1, "1", True, 1000):
        with pytest.raises(ValueError, match=r"seconds, .* must be a number from 0\.05 to 60"):
            lab.save(tmp_path / "no.gif", seconds=seconds)


@pytest.mark.parametrize(
    ("ending", "options", "said"),
    [
        ("png", {"iterations": 5}, "iterations is for .html files: leave it out for .png; got 5"),
        ("svg", {"scale": 2}, "scale is for .png, .gif files: leave it out for .svg"),
        ("pdf", {"seconds": [1, 2]}, "seconds is for .gif files: leave it out for .pdf"),
        ("gif", {"iterations": 0}, "iterations is for .html files: leave it out for .gif"),
        ("html", {"dark": True}, "dark is for .png, .svg, .pdf, .gif files: leave it out for .html"),
        ("html", {"iterations": 101}, "iterations must be a whole number from 1 to 100; got 101"),
    ],
)
def test_an_option_that_a_file_has_no_use_for_is_refused(tmp_path, ending, options, said):
    for lab in (StepThrough(), MistakeLab()):
        with pytest.raises(ValueError, match=re.escape(said)):
            lab.save(tmp_path / f"one.{ending}", **options)
    assert not [*tmp_path.iterdir()]


def test_an_option_may_be_given_as_it_is_anyway(tmp_path):
    StepThrough().save(tmp_path / "one.svg", scale=None, iterations=1, dark=False, seconds=1)
    assert (tmp_path / "one.svg").exists()


def test_a_walk_of_a_program_keeps_what_the_lab_says_at_each_step(tmp_path):
    lab = StepThrough(start="convolution")
    lab.save(tmp_path / "walk.html")
    text = (tmp_path / "walk.html").read_text()
    start = text.index('id="recording">') + len('id="recording">')
    recorded = json.loads(text[start : text.index("</script>", start)])
    (iteration,) = recorded["iterations"]
    for index, step in enumerate(iteration["steps"]):
        lab.stepper.go_to(index)
        assert step["state"]["card"] == json.loads(json.dumps(view_of(lab).state["card"]))
    for one, other in pairwise(recorded["pictures"]["wide"]["boards"][0]["light"]):
        assert one != other


@pytest.mark.parametrize("name", ["rnn", "attention", "residual", "transformer block"])
def test_an_arrow_between_two_columns_is_there_only_where_something_goes_from_one_to_the_other(name):
    t = trace(EXAMPLES[name]())
    found = place_matrices(t, 980, 440)
    at = sorted({box.x for box in found.boxes.values()})
    columns = [[name for name, box in found.boxes.items() if box.x == x] for x in at]
    uses = {(step.name, each) for step in t.steps for each in step.operands}
    for x, _, way in found.arrows:
        right = next((k for k, left in enumerate(at) if left > x), None)
        if right is None:  # from the loss
            continue
        into, of = (columns[right], columns[right - 1])[::way]
        later = [d for column in columns[right:] for d in column if d.startswith("d")]
        assert any((one, other) in uses for one in into for other in of) or not later
    assert len(found.arrows) > 6


ODD = {
    "a state that the loss uses": (
        "h_new = np.tanh(x @ Wx + h @ Wh)\nL = np.sum((h_new @ Wy - y)**2)",
        {"Wx": (3, 4), "Wh": (4, 4), "Wy": (4, 1)},
        {"x": (2, 3), "h": (2, 4), "y": (2, 1)},
    ),
    "a state of another shape than what makes it": (
        "a = np.tanh(x @ Wx + h @ Wh)\nh_new = a @ R\nL = np.sum((a @ Wy - y)**2)",
        {"Wx": (3, 2), "Wh": (4, 2), "Wy": (2, 1)},
        {"x": (1, 3), "h": (1, 4), "R": (2, 4), "y": (1, 1)},
    ),
    "a state that another one is made of": (
        "f = 1 / (1 + np.exp(-(x @ Wf)))\nc_new = f * c\nh_new = np.tanh(c_new + h)\nL = np.sum((h_new - y)**2)",
        {"Wf": (3, 4)},
        {"x": (2, 3), "c": (2, 4), "h": (2, 4), "y": (2, 4)},
    ),
    "names that end in _": (
        "sum_ = X @ theta_ * lambda_\nL_ = np.sum((sum_ - y)**2)",
        {"theta_": (2, 1), "lambda_": (1, 1)},
        {"X": (3, 2), "y": (3, 1)},
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_program_goes_through_the_labs(name):
    lines, *shapes = ODD[name]
    rng = np.random.default_rng(0)
    p = program(lines, *({each: rng.standard_normal(shape) for each, shape in given.items()} for given in shapes))
    for predicting in (False, True):
        lab = StepThrough(p)
        lab.stepper.predict(predicting)
        for step in p.lines:
            lab.stepper.next()
            lab.stepper.next()  # which answers nothing, and goes on
            lab.go(step.name)
            assert view_of(lab).state["card"]["title"]
    name = next(step.name for step in p.lines if step.of or step.phase == "loss")
    Exercises(p)(name, np.zeros_like(trace(p)[name]))
    assert LineUp(p)
    assert all(prove(trace(p), step.name).agrees for step in p.lines if step.role == "gradient")


def test_the_mistake_lab_opens_a_program_at_the_line_that_is_wrong():
    lab = MistakeLab(start="attention").lab
    assert lab.trace.step(lab.step).title
    assert f"{lab.step} = " in view_of(lab).state["card"]["right"]
