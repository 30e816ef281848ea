"""Lines are put in order by keyboard alone and by finger: the page's part in a real browser, the rest here."""

from common import tell, view_of
from lab_page import violations
from playwright.sync_api import expect

from backprop_lab.ui import LineUp
from backprop_lab.ui.page.line_list import LineList

# The page of a kernel without the kernel: what the list sends goes to this process, and what changes there comes back.
PAGE = """async ([source, traits]) => {
  const { default: { render } } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const listeners = {};
  window.model = {
    get: (name) => traits[name],
    on: (event, listener) => (listeners[event] = listener),
    send: async (message) => {
      const before = traits;
      traits = await window.send(message);
      const same = (name) => JSON.stringify(traits[name]) === JSON.stringify(before[name]);
      for (const name in traits) same(name) || listeners[`change:${name}`]?.();
    },
  };
  render({ model: window.model, el: document.querySelector("main") });
}"""
HEAD = '<title>Lines</title><meta name="viewport" content="width=device-width">'
NAMES = ("lines", "goals", "place", "wrong", "said")
ORDER = ["Y1 = X @ W1 + b1", "H1 = np.maximum(Y1, 0)", "y_pred = H1 @ W2 + b2", "L = np.sum((y_pred - y) ** 2)"]


def opened(new_context, **context):
    """The lines of a forward pass on a page, and their lab."""
    page, lab = new_context(**context).new_page(), LineUp(part="forward")

    def now():
        return {name: getattr(view_of(lab), name) for name in NAMES}

    def heard(message):
        lab.puzzle.start_over() if message["kind"] == "again" else tell(lab, message["kind"], message)
        return now()

    page.expose_function("send", heard)
    page.set_content(f"{HEAD}<style>{LineList._css}</style><main class='bpl-lab'></main>")
    page.evaluate(PAGE, [str(LineList._esm), now()])
    return page, lab


def line(page, text):
    return page.get_by_role("button", name=text, exact=True)


def expect_program(page, lab, *texts):
    expect(page.locator(".bpl-program li button")).to_have_text([*texts])
    assert [each.text for each in lab.puzzle.program] == [*texts]


def test_by_keyboard_alone_each_line_is_moved_and_a_screen_reader_hears_where(new_context):
    page, lab = opened(new_context)
    focused, status = page.locator(":focus"), page.get_by_role("status")
    page.keyboard.press("Tab")

    def go_to(text):
        keys = iter(["ArrowUp"] * 20 + ["ArrowDown"] * 40)
        while focused.inner_text() != text:
            page.keyboard.press(next(keys))

    for text in reversed(ORDER):
        go_to(text)
        page.keyboard.press("ArrowRight")
        expect(page.locator(".bpl-program")).to_contain_text(text)
    expect_program(page, lab, *reversed(ORDER))
    for place, text in enumerate(ORDER):
        go_to(text)
        for left in range(len(ORDER) - 1 - place, 0, -1):
            page.keyboard.press("Shift+ArrowUp")
            expect(status).to_contain_text(f"{text}: line {place + left} of 4")
            expect(focused).to_have_text(text)
    expect_program(page, lab, *ORDER)
    assert page.locator("button[tabindex='0']").all_inner_texts() == [ORDER[-1]], "Tab leads on from here"
    page.keyboard.press("ArrowLeft")
    expect(status).to_contain_text("among the lines to choose from")
    expect_program(page, lab, *ORDER[:-1])
    assert violations(page, "main") == []


def test_a_finger_taps_lines_or_drags_their_handle_and_a_mouse_drags_them_anywhere(new_context):
    page, lab = opened(new_context, has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 390, "height": 780})
    for text in ORDER[:2]:
        line(page, text).tap()
    expect_program(page, lab, *ORDER[:2])
    page.get_by_role("button", name="How wrong is it?").tap()
    line(page, ORDER[3]).tap()
    page.get_by_role("button", name="Forward through layer 2").tap()
    line(page, ORDER[2]).tap()
    expect_program(page, lab, *ORDER)
    heights = [button.bounding_box()["height"] for button in page.get_by_role("button").all()]
    assert min(heights) > 39.9, "a finger is broad"

    def handle(text):
        box = page.locator("li", has=line(page, text)).locator(".bpl-handle").bounding_box()
        return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}

    def finger(kind, *points):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch = page.context.new_cdp_session(page)
    start, end = handle(ORDER[3]), handle(ORDER[0])
    finger("touchStart", start)
    for part in range(1, 11):
        finger("touchMove", start | {"y": start["y"] + part / 10 * (end["y"] - 12 - start["y"])})
    finger("touchEnd")
    expect_program(page, lab, ORDER[3], *ORDER[:3])
    line(page, ORDER[1]).click()  # the first after a drag counts
    expect_program(page, lab, ORDER[3], ORDER[0], ORDER[2])
    line(page, ORDER[0]).drag_to(line(page, ORDER[3]), target_position={"x": 30, "y": 2})
    expect_program(page, lab, ORDER[0], ORDER[3], ORDER[2])
    page.evaluate("model.send({ kind: 'again' })")
    expect_program(page, lab)
    expect(page.locator("[aria-pressed=true]")).to_have_text("Forward through layer 1")
