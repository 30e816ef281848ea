"""axe-core finds nothing wrong in the lab, in either theme, with everything closed and with everything open."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

# What ipywidgets puts on the page and gives no way to name. The number field beside each slider has its label.
UNNAMED = {("aria-input-field-name", ".noUi-handle")}


def violations(lab):
    """Every violation in the lab: its rule, the element, and what axe-core says of it."""
    found = Axe().run(lab.page, context=".bpl-lab").response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
        if not any(
            rule["id"] == known and lab.page.locator(node["target"][0]).and_(lab.page.locator(selector)).count()
            for known, selector in UNNAMED
        )
    ]


def test_axe_finds_no_violation_in_either_theme(lab):
    found = set()

    def look():
        for theme in ("light", "dark"):
            lab.theme(theme)
            expect(
                lab.page.locator(f"body[data-jp-theme-light={'true' if theme == 'light' else 'false'}]")
            ).to_be_attached()
            found.update(f"in the {theme} theme, {violation}" for violation in violations(lab))

    look()
    lab.jump("dW1")
    lab.press("More", "Values as a table", "As NumPy", "Next iteration")
    lab.click("W1", 0, 0)
    expect(lab.field("new value:")).to_be_visible()
    look()
    lab.choose("planted mistake", "ReLU mask forgotten")
    expect(lab.remarks.locator(".bpl-wrong")).to_be_visible()
    look()
    lab.choose("planted mistake", "none")
    lab.jump("L")
    lab.press("Predict first", "Next")
    lab.type_into("or its value", "rubbish")
    expect(lab.refused).to_be_visible()
    look()
    assert not sorted(found)


def test_every_control_has_a_name_and_a_tooltip(lab):
    lab.jump("L")
    lab.press("Predict first", "Next", "More", "As NumPy")
    lab.settle()
    controls = lab.root.evaluate("""(lab) => [...lab.querySelectorAll("button, input, select")]
      .filter((control) => control.checkVisibility())
      .map((control) => {
        const label = control.labels?.[0];
        const titled = [control, label, control.closest(".bpl-lab [title]")].find((element) => element?.title);
        return { name: (label ?? control).textContent.trim(), tooltip: titled?.title };
      })""")
    assert len(controls) > 30
    assert all(control["name"] for control in controls)
    assert not [control["name"] for control in controls if not control.get("tooltip")]
