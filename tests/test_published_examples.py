"""What others printed of a training step comes out of our layers to the last digit, and a mistake of theirs too."""

from pathlib import Path

import numpy as np
import pytest

from backprop_lab import MISTAKES, plant, trace
from backprop_lab.nn.lines import evaluate
from backprop_lab.nn.steps import Lines
from backprop_lab.step.examples import mazur
from backprop_lab.step.trace import Trace

OUTPUT = Path(__file__).parent / "data" / "original_output.txt"
PRINTED = dict(block.split("\n", 1) for block in OUTPUT.read_text(encoding="utf-8").strip().split("\n\n"))


@pytest.mark.parametrize("name", PRINTED)
def test_the_original_notebook_character_for_character(name, example):
    value = example[name]
    if name in ("db1", "db2"):  # the original dropped the first dimension here; we keep (1, H)
        value = value[0]
    if name == "L":  # what it printed is not the loss that is trained
        value = 2 * np.mean(example["y_pred"] - example["y"])
        assert example["L"] == np.sum((example["dy_pred"] / 2) ** 2)
    with np.printoptions(legacy="1.13"):  # as the NumPy of the original did
        assert str(value) == PRINTED[name]
    assert len(PRINTED) == 21


def assert_printed(values, texts):
    """Each value, a line of NumPy, rounded to as many decimals as were printed of it, is what was printed."""
    for code, printed in texts.items():
        for number, text in zip(np.ravel(evaluate(code, values)), printed.split(), strict=True):
            rounded = f"{number + 0.0:.{len(text.partition('.')[2])}f}"
            assert rounded in (text, f"-{text}" if float(text) == 0 else text), code


def test_mazur_two_layers_of_sigmoids():
    """https://mattmazur.com/2015/03/17/a-step-by-step-backpropagation-example/, in which biases stay fixed."""
    assert_printed(trace(mazur()), {
        "Y1[0, 0]": "0.3775", "H1": "0.593269992 0.596884378", "Y2[0, 0]": "1.105905967",
        "y_pred": "0.75136507 0.772928465", "(y_pred - y)**2 / 2": "0.274811083 0.023560026", "L": "0.298371109",
        "dy_pred[0, 0]": "0.74136507", "dY2[0, 0]": "0.138498562", "dY2[0, 0] * W2[0, 0]": "0.055399425",
        "dW2[0, 0]": "0.082167041", "dH1[0, 0]": "0.036350306", "dW1[0, 0]": "0.000438568",
        "W2_new.T": "0.35891648 0.408666186 0.511301270 0.561370121",
        "W1_new.T": "0.149780716 0.19956143 0.24975114 0.29950229",
    })  # fmt: skip


def test_mazur_after_the_first_round_goes_on_with_weights_that_are_updated_already():
    """The same page says that the old weights are used on the way back; the numbers it goes on to print say otherwise:
    they are those of our mistake "updated-weights". Without it the loss after one round is 0.291027774."""
    right, theirs = trace(mazur()), plant(trace(mazur()), MISTAKES["updated-weights"], "dH1")

    def after(t, rounds):
        given = dict(t.given)
        for _ in range(rounds + 1):
            values = Trace(t.problem, given, Lines(t.steps))
            given |= {"W1": values["W1_new"], "W2": values["W2_new"]}
        return values

    assert_printed(after(right, 1), {"L": "0.291027774"})
    assert_printed(after(theirs, 1), {"L": "0.291027924"})
    # Of the printed 0.0000351085 the last digits do not follow from these outputs.
    assert_printed(after(theirs, 10_000), {"y_pred": "0.015912196 0.984065734", "L": "0.0000351"})
