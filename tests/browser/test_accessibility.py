"""axe-core finds nothing wrong in the lab, in either theme, with everything closed and with everything open."""

from playwright.sync_api import expect


def test_axe_finds_no_violation_in_either_theme(lab):
    assert lab.violations() == []
    lab.jump("dW1")
    lab.press("More", "Values as a table", "As NumPy", "Next iteration")
    lab.click("W1", 0, 0)
    expect(lab.field("new value:")).to_be_visible()
    assert lab.violations() == []
    lab.choose("planted mistake", "ReLU mask forgotten")
    expect(lab.remarks.locator(".bpl-wrong")).to_be_visible()
    assert lab.violations() == []
    lab.choose("planted mistake", "none")
    lab.jump("L")
    lab.press("Predict first", "Next")
    lab.type_into("or its value", "rubbish")
    expect(lab.refused).to_be_visible()
    assert lab.violations() == []
