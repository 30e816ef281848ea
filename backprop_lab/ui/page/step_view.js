// Shows the board and its timeline, and reports the size of the page and what the learner does there to the kernel.

const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Enter", "Escape"];

export function isDark([r, g, b]) {
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

// The cell at a place in fractions of the picture, so that it is correct at every zoom level.
export function cellIn(boxes, x, y) {
  for (const [name, x0, y0, w, h, rows, cols] of boxes) {
    if (x >= x0 && x < x0 + w && y >= y0 && y < y0 + h) {
      return [name, Math.floor(((y - y0) / h) * rows), Math.floor(((x - x0) / w) * cols)];
    }
  }
  return null;
}

export function isPlain(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
}

// The first background that is not transparent, going up from the element: the theme's, wherever the lab is shown.
function paperOf(element) {
  for (let at = element; at; at = at.parentElement) {
    const [r, g, b, alpha = 1] = (getComputedStyle(at).backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
    if (r !== undefined && alpha > 0) return [r, g, b];
  }
  return [255, 255, 255];
}

function newName() {
  return Math.random().toString(36).slice(2); // crypto.randomUUID is there only on pages that count as secure
}

function make(tag, className, parent) {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}

function render({ model, el }) {
  // While the kernel restarts, or once it is gone, nobody can hear anything.
  function tell(message) {
    try {
      model.send(message);
    } catch (error) {
      console.debug("The kernel did not hear the lab:", error);
    }
  }

  const board = make("div", "bpl-board", el);
  const timeline = make("div", "bpl-timeline", board);
  timeline.setAttribute("role", "group");
  timeline.setAttribute("aria-label", "Steps of this iteration");
  const figure = make("div", "bpl-picture", board);
  figure.tabIndex = 0;
  figure.setAttribute("role", "group");
  figure.setAttribute("aria-label", model.get("label"));
  const image = make("img", "", figure);
  image.decoding = "sync";

  let buttons = [];
  function drawTimeline() {
    timeline.replaceChildren();
    let group = null;
    buttons = model.get("steps").map(([name, phase], position) => {
      if (!group?.classList.contains(`bpl-${phase}`)) {
        group = make("div", `bpl-phase bpl-${phase}`, timeline);
        make("span", "", group).textContent = phase;
      }
      const button = make("button", "", group);
      button.type = "button";
      button.textContent = name;
      button.title = `Go to ${name}`;
      button.onclick = () => tell({ kind: "jump", index: position + 1 });
      return button;
    });
    markTimeline();
  }

  function markTimeline() {
    const index = model.get("index");
    buttons.forEach((button, position) => {
      button.classList.toggle("bpl-shown", position < index);
      if (position === index - 1) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
  }

  function showPicture() {
    const bytes = model.get("picture");
    if (!bytes?.byteLength) return;
    const old = image.src;
    image.src = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    if (old) URL.revokeObjectURL(old);
  }

  function showAlt() {
    image.alt = model.get("alt");
  }

  // A lab may be shown more than once, and on several pages. The kernel counts its views, and keeps pictures only for
  // those there are; so one that leaves says so. One that comes back, with a page that had been put away, is a new one.
  let view = newName();

  function reportPage() {
    const width = Math.floor(board.clientWidth);
    if (width > 0) {
      const ratio = window.devicePixelRatio;
      tell({ kind: "page", view, width, height: window.innerHeight, ratio, dark: isDark(paperOf(board)) });
    }
  }

  function leave() {
    tell({ kind: "gone", view });
    view = newName();
  }

  function cellAt(event) {
    const { left, top, width, height } = image.getBoundingClientRect();
    return cellIn(model.get("boxes"), (event.clientX - left) / width, (event.clientY - top) / height);
  }

  // Whether a click pins the cell is decided here at once; the kernel's answer comes later and may differ.
  let reported = "null";
  let pinned = model.get("pinned");
  const pinnedByKernel = () => (pinned = model.get("pinned"));
  model.on("change:pinned", pinnedByKernel);
  model.on("msg:custom", come);

  function reportHover(cell) {
    if (pinned || JSON.stringify(cell) === reported) return;
    reported = JSON.stringify(cell);
    tell({ kind: "cell", cell, pinned: false, clicked: false });
  }

  image.addEventListener("pointermove", (event) => reportHover(cellAt(event)));
  image.addEventListener("pointerleave", () => reportHover(null));
  image.addEventListener("click", (event) => {
    const cell = cellAt(event);
    pinned = cell !== null && !(pinned && JSON.stringify(cell) === reported);
    reported = JSON.stringify(cell);
    tell({ kind: "cell", cell, pinned, clicked: true });
    figure.focus({ preventScroll: true });
  });

  // ipywidgets shows no tooltip on a control with a label, so the label gets it here.
  function showTooltips() {
    const tooltips = model.get("tooltips");
    for (const label of el.closest(".bpl-lab")?.querySelectorAll("label.widget-label") ?? []) {
      label.title = tooltips[label.textContent.trim()] ?? label.title;
    }
  }

  let pending = 0;
  function pageChanged() {
    clearTimeout(pending);
    pending = setTimeout(reportPage, 120);
  }

  // A picture drawn for n device pixels is shown on exactly n of them.
  // Until it is there, space is reserved for it, so that the page does not jump.
  figure.style.width = "100%";
  figure.style.aspectRatio = model.get("aspect");
  image.onload = () => {
    figure.style.width = figure.style.aspectRatio = "";
    image.style.width = `${image.naturalWidth / window.devicePixelRatio}px`;
    showTooltips();
    tell({ kind: "shown", frame: model.get("frame") });
  };

  figure.addEventListener("keydown", (event) => {
    if (!KEYS.includes(event.key) || !isPlain(event)) return;
    event.preventDefault();
    event.stopPropagation();
    tell({ kind: "key", key: event.key });
  });

  function come(message) {
    if (message.do !== "come") return;
    (el.closest(".bpl-lab") ?? el).scrollIntoView({ block: "start" });
    figure.focus({ preventScroll: true });
  }

  // Notebook 7 looks for its shortcuts before the lab sees a key, and JupyterLab among the keys that the lab ignores: A
  // on a slider would insert a cell. A plain key on a control of the lab is marked as the lab's before either looks.
  function keepPlainKeys(event) {
    if (!el.closest(".bpl-lab")?.contains(event.target)) return;
    event.target.toggleAttribute("data-lm-suppress-shortcuts", isPlain(event));
  }
  window.addEventListener("keydown", keepPlainKeys, true);

  drawTimeline();
  showAlt();
  showPicture();
  const listeners = {
    "change:steps": drawTimeline,
    "change:index": markTimeline,
    "change:picture": showPicture,
    "change:alt": showAlt,
  };
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);

  const resized = new ResizeObserver(pageChanged);
  resized.observe(board);
  const themed = new MutationObserver(pageChanged);
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  const zoomed = () => pageChanged();
  window.addEventListener("resize", zoomed);
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", reportPage);
  reportPage();

  return () => {
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
    model.off("change:pinned", pinnedByKernel);
    model.off("msg:custom", come);
    resized.disconnect();
    themed.disconnect();
    window.removeEventListener("resize", zoomed);
    window.removeEventListener("pagehide", leave);
    window.removeEventListener("pageshow", reportPage);
    window.removeEventListener("keydown", keepPlainKeys, true);
    clearTimeout(pending);
    URL.revokeObjectURL(image.src);
    leave();
  };
}

export default { render };
