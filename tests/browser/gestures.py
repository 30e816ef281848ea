"""Many gestures, faster than a learner's, and what they leave in the memory of the page and of the kernel."""

from dataclasses import dataclass
from random import Random

from playwright.sync_api import Error

TYPED = ("", " ", "rubbish", "<img src=x onerror=alert(1)>", "nan", "1e999", "-1", "0", "0.5", "3", "12", "1e-3", "½")
NUMBERS = ("", "-3", "0", "1", "2", "5", "8", "99")
KEYS = ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "Enter", "Escape", "Home", "End", "PageUp", "Tab", "d", "x")
QUICK = {"timeout": 2_000}  # milliseconds: what has just gone from the page is not waited for

# Every picture is a blob of its own. One that is never let go stays in the browser, outside the heap of the page.
COUNT_BLOBS = """() => {
  window.blobs = new Set();
  window.pictures = 0;
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (blob) => {
    const url = createObjectURL.call(URL, blob);
    blobs.add(url);
    pictures += 1;
    return url;
  };
  URL.revokeObjectURL = (url) => {
    blobs.delete(url);
    revokeObjectURL.call(URL, url);
  };
}"""

# Presses keys on what has the focus, and after each waits until another picture is on the screen.
ONE_BY_ONE = """async (keys) => {
  const image = document.querySelector(".bpl-board img");
  for (const [count, key] of keys.entries()) {
    const shown = new Promise((done, lost) => {
      image.addEventListener("load", done, { once: true });
      setTimeout(() => lost(Error(`no picture within a minute of ${key}, number ${count}`)), 60000);
    });
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    await shown;
  }
}"""
RSS = "(__import__('gc').collect(), __import__('psutil').Process().memory_info().rss)[1]"


def memory(lab):
    """Bytes in the kernel and in the page's scripts, what the page holds, and how many pictures it has shown so far."""
    lab.settle()
    page = lab.memory()
    blobs, pictures = lab.page.evaluate("[blobs.size, pictures]")
    found = {"kernel": lab.in_kernel(RSS), "page": page["JSHeapUsedSize"], "nodes": page["Nodes"]}
    return found | {"listeners": page["JSEventListeners"], "blobs": blobs, "pictures": pictures}


def one_by_one(lab, times):
    """Move what has the focus there and back; each move waits for its picture, and none is still to come before."""
    lab.settle()
    lab.page.evaluate(ONE_BY_ONE, ["ArrowRight"] * (times // 2) + ["ArrowLeft"] * (times // 2))


def in_a_row(lab, times):
    """Move it there and back as fast as keys go, which is faster than pictures come."""
    for _ in range(times // 100):
        lab.key(*["ArrowRight"] * 50, *["ArrowLeft"] * 50)


@dataclass
class RandomUser:
    """One gesture after another, each drawn from what the lab offers at that moment; they do not wait for answers."""

    rng: Random
    gestures: int = 0

    def work(self, lab, times):
        for _ in range(times):
            offered = [self.press, self.press, self.choose, self.type, self.type_keys, self.point, self.drag]
            try:
                self.rng.choice(offered)(lab)
                self.gestures += 1
            except Error as error:  # a control that has gone between the choice and the click
                if "Timeout" not in str(error):
                    raise

    def any_of(self, lab, selector):
        found = lab.root.locator(f"{selector}:visible")
        return found.nth(self.rng.randrange(max(1, found.count())))

    def press(self, lab):
        self.any_of(lab, "button").click(**QUICK)

    def choose(self, lab):
        menu = self.any_of(lab, "select")
        menu.select_option(index=self.rng.randrange(menu.locator("option").count()), **QUICK)

    def type(self, lab):
        field = self.any_of(lab, "input")
        is_number = field.get_attribute("type", **QUICK) == "number"
        field.fill(self.rng.choice(NUMBERS if is_number else TYPED), **QUICK)
        field.press("Enter", **QUICK)

    def type_keys(self, lab):
        self.rng.choice([lab.board, lab.seed_slider, lab.lr_slider]).focus(**QUICK)
        lab.key(*self.rng.choices(KEYS, k=self.rng.randint(1, 12)))

    def box_of(self, target):
        target.scroll_into_view_if_needed(**QUICK)
        return target.bounding_box(**QUICK)

    def point(self, lab):
        box = self.box_of(lab.image)
        lab.page.mouse.click(box["x"] + self.rng.random() * box["width"], box["y"] + self.rng.random() * box["height"])

    def drag(self, lab):
        box, mouse = self.box_of(self.rng.choice([lab.seed_slider, lab.lr_slider])), lab.page.mouse
        mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        mouse.down()
        for _ in range(self.rng.randint(1, 15)):
            mouse.move(box["x"] + self.rng.randint(-300, 600), box["y"])
        mouse.up()
