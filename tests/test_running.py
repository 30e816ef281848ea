"""What a lab leaves in a notebook that is run with nobody there."""

from base64 import b64encode
from types import SimpleNamespace
from unittest import mock

from common import kept

from backprop_lab.ui import LearningRateLab, LineUp, MistakeLab, StepThrough, running
from backprop_lab.ui.running import nobody_is_there
from backprop_lab.ui.standalone import opened
from backprop_lab.ui.steps.pictures import picture


def test_a_slide_without_a_kernel_shows_step_line_and_proof_above_the_board(monkeypatch):
    for lab in (StepThrough(step="dW1"), MistakeLab(step="dW1")):
        stepper = getattr(lab, "lab", lab).stepper
        monkeypatch.setattr("backprop_lab.ui.steps.pictures.nobody_is_there", lambda _: True)
        whole, with_head = kept(lab)["image/png"], b64encode(picture(stepper, "png", 1.0)).decode()
        monkeypatch.undo()
        assert whole == with_head != kept(lab)["image/png"]


def test_the_picture_that_stands_in_for_a_lab_has_words_for_who_cannot_see_it():
    labs = {
        StepThrough(step="dW1"): "Board at iteration 0, step 10 of 15, backward: dW1 = X.mT @ dY1, which gives",
        MistakeLab(step="dW1"): "Board at iteration 0, step 10 of 15, backward: dW1 = X.mT @ dY1, which gives",
        LearningRateLab(seeds=8, steps=10): "Map of",
    }
    for lab, words in labs.items():
        assert lab._repr_mimebundle_()[1]["image/png"]["alt"].startswith(words)
    assert LineUp()._repr_mimebundle_()[1] == {}, "it is text"


def test_the_lab_alone_is_kept_nowhere_and_draws_no_picture_to_keep():
    assert ["image/png" in kept(lab) for lab in (StepThrough(), opened(""))] == [True, False]


def test_where_nobody_is_there_a_notebook_keeps_no_widget(monkeypatch):
    for takes_input, server, nobody in [(True, "", False), (False, "", True), (False, "voila/0.5", False)]:
        monkeypatch.setenv("SERVER_SOFTWARE", server)
        shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=takes_input))
        monkeypatch.setattr(running, "get_ipython", mock.Mock(return_value=shell))
        assert [nobody_is_there(shell), "widget-view" not in "".join(kept(StepThrough()))] == [nobody, nobody]
