"""Random hands on two labs at once, in one notebook or in two on one kernel: nothing they do breaks one, and what a lab
shows is what its own call opens.

Fifteen seconds of it in `make test`; ABUSE_MINUTES=30 makes it last, and ABUSE_SEED plays another round.
"""

import os
import random
import time

import pytest
from gestures import RandomUser
from lab_page import ONE_CELL, READY, LabPage
from playwright.sync_api import expect

MINUTES = float(os.environ.get("ABUSE_MINUTES", "0.25"))
SEED = int(os.environ.get("ABUSE_SEED", "0"))
RESTART = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
MB_OF_OLD_LABS = 6  # two labs with what their learner has opened; fresh ones take 2.4


def is_what_its_call_opens(lab):
    """Whether it tells its state in its call: then the text of its picture, which has all values of the step, is that
    of where the call opens. No lab is opened for it, since the page would keep the widgets.
    """
    play = lab.button("Play")
    if "mod-active" in play.get_attribute("class"):
        play.click()
    lab.leave()
    lab.settle()
    shown = lab.root.inner_text()
    assert "Traceback" not in shown
    assert "Error" not in shown, shown
    call, aside = lab.call.inner_text(), lab.call.locator("xpath=..").inner_text()
    if aside.strip() != call.strip():  # it says itself in what it differs
        return False
    stepper = call.replace("StepThrough", "__import__('backprop_lab.ui.steps.stepper', fromlist=['']).Stepper")
    words = "__import__('backprop_lab.ui.steps.words', fromlist=[''])"
    assert lab.in_kernel(f"{words}.alt_text({stepper}.place)") == lab.alt()
    return True


@pytest.mark.parametrize("two_notebooks", [False, True])
def test_random_hands_break_nothing_and_each_lab_shows_what_its_call_opens(notebook, no_hidden_errors, two_notebooks):
    lab = notebook(ONE_CELL) if two_notebooks else notebook(ONE_CELL, ONE_CELL)
    labs = [lab, notebook(ONE_CELL, same_kernel=True) if two_notebooks else LabPage(lab.page, 1)]
    user = RandomUser(random.Random(SEED))
    compared = restarts = rounds = 0
    memory, start = [], time.monotonic()
    while time.monotonic() - start < 30 * MINUTES or not compared:
        rounds += 1
        for each in labs:
            user.work(each, user.rng.randint(3, 12))
        compared += sum(is_what_its_call_opens(each) for each in labs)
        if rounds % 5 == 0:
            if rounds % 10 == 0 and not two_notebooks:  # JupyterLab does not tell another page of a restart
                lab.page.evaluate(RESTART)
                lab.page.evaluate(READY)
                restarts += 1
            for each in labs if two_notebooks else [lab]:
                each.run_all()
            labs[1].wait_for_picture()
            expect(lab.page.locator(".bpl-lab")).to_have_count(1 if two_notebooks else 2)
            memory.append(lab.memory()["JSHeapUsedSize"] / 1e6)
    minutes, megabytes = (time.monotonic() - start) / 60, " ".join(f"{each:.0f}" for each in memory)
    print(  # noqa: T201
        f"\n  {minutes:.1f} minutes, {user.gestures} gestures, {compared} states compared with what their calls open, "
        f"kernel restarted {restarts} times; MB in the page at each second run of all cells: {megabytes}"
    )
    if two_notebooks:  # a page hears of widgets that were made before it came to the kernel, and JupyterLab says so
        no_hidden_errors.forget("console: Comm not found for comm id")
    # A cell that is run again leaves its old widgets in the page: ipywidgets forgets none. Nothing else may grow.
    assert len(memory) < 2 or memory[-1] - memory[0] < MB_OF_OLD_LABS * (len(memory) - 1)
