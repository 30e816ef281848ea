"""Random hands on two labs, nine seconds long; ABUSE_MINUTES=30 makes it last, ABUSE_SEED plays another round."""

import os
import random
import time
from contextlib import suppress

from lab_page import ONE_CELL, READY, LabPage
from playwright.sync_api import TimeoutError as WaitedTooLong
from playwright.sync_api import expect

MINUTES = float(os.environ.get("ABUSE_MINUTES", "0.15"))
SEED = int(os.environ.get("ABUSE_SEED", "0"))

TYPED = ("", " ", "rubbish", "<img src=x onerror=alert(1)>", "nan", "1e999", "-1", "0", "0.5", "3", "12", "1e-3", "½")
NUMBERS = ("", "-3", "0", "1", "2", "5", "8", "99")
KEYS = ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Enter", "Escape", "Home", "End", "PageUp", "Tab", "d", "x")
QUICK = {"timeout": 2_000}  # milliseconds: what has just gone from the page is not waited for


def gesture(rng, lab):
    """One that the lab offers at this moment; it does not wait for an answer."""
    kind = rng.choice(["button", "button", "select", "input", "keys", "drag"])
    if kind == "keys":
        rng.choice([lab.board, lab.seed_slider, lab.lr_slider]).focus(**QUICK)
        lab.key(*rng.choices(KEYS, k=rng.randint(1, 12)))
    elif kind == "drag":
        target, mouse = rng.choice([lab.image, lab.seed_slider, lab.lr_slider]), lab.page.mouse
        target.scroll_into_view_if_needed(**QUICK)
        box = target.bounding_box(**QUICK)
        mouse.move(box["x"] + rng.random() * box["width"], box["y"] + rng.random() * box["height"])
        mouse.down()
        for _ in range(0 if target == lab.image else rng.randint(1, 15)):
            mouse.move(box["x"] + rng.randint(-300, 600), box["y"])
        mouse.up()
    else:
        found = lab.root.locator(f"{kind}:visible")
        control = found.nth(rng.randrange(max(1, found.count())))
        if kind == "button":
            control.click(**QUICK)
        elif kind == "select":
            control.select_option(index=rng.randrange(control.locator("option").count()), **QUICK)
        else:
            kind = control.get_attribute("type", **QUICK)
            control.fill(rng.choice(NUMBERS if kind == "number" else TYPED), **QUICK)
            control.press("Enter", **QUICK)


def is_what_its_call_opens(lab):
    """Whether it tells its state in its call: then the text of its picture is that of where the call opens."""
    lab.settle()  # it may be about to play
    if lab.button("Pause").count():
        lab.button("Pause").click()
    lab.page.mouse.move(0, 0)
    lab.settle()
    shown, call = lab.root.inner_text(), lab.call.inner_text()
    assert "Error" not in shown.replace("SquaredError", ""), shown
    if lab.call.locator("xpath=following-sibling::span[1]").inner_text().strip():  # it says itself in what it differs
        return False
    stepper = call.replace("StepThrough", "__import__('backprop_lab.ui.steps.stepper', fromlist=['']).Stepper")
    words = "__import__('backprop_lab.ui.steps.words', fromlist=[''])"
    assert lab.in_kernel(f"{words}.alt_text({stepper}.place)") == lab.image.get_attribute("alt")
    return True


def test_random_hands_break_nothing_and_each_lab_shows_what_its_call_opens(notebook):
    lab = notebook(ONE_CELL, ONE_CELL, new=True)
    labs, rng = [lab, LabPage(lab.page, 1)], random.Random(SEED)
    gestures = compared = rounds = 0
    end = time.monotonic() + 60 * MINUTES
    while time.monotonic() < end or not compared:
        rounds += 1
        for each in labs * rng.randint(3, 12):
            with suppress(WaitedTooLong):  # a control that has gone between the choice and the click
                gesture(rng, each)
                gestures += 1
        compared += sum(map(is_what_its_call_opens, labs))
        if rounds % 5 == 0:
            if rounds % 10 == 0:
                lab.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
                lab.page.evaluate(READY)
            lab.run_all()
            labs[1].wait_for_picture()
            expect(lab.page.locator(".bpl-lab")).to_have_count(2)
    print(f"{gestures} gestures, {compared} states compared, kernel restarted {rounds // 10} times")  # noqa: T201
