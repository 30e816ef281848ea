// Shows one state of a lab, as it is told: pictures, frames, card, timeline, sum. Reports gestures, and knows no kernel.

const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Enter", "Escape"];
const LEAST = { desktop: 440, wide: 560, tall: 760, large: 480, phone: 720 }; // CSS pixels: lower than this, the page scrolls
const MOST = 1100;
const NAME = 18; // CSS pixels above a matrix, where its name is

// What can be done to the steps: what it is called, the word on its button, its drawing in a square of 16, why.
const ACTIONS = [
  ["restart", "Restart", "Restart", "M3 3v4h4M3.4 7A5 5 0 1 1 3 9.5", "Back to the start, with the original numbers"],
  ["back", "Back", "Back", "M10 3 5 8l5 5", "One step back (left arrow on the board)"],
  ["next", "Next", "Next", "M6 3l5 5-5 5", "One step forward (right arrow on the board)"],
  ["next_phase", "Next phase", "Phase", "M3 3l5 5-5 5M9 3l5 5-5 5", "Forward to the end of this phase"],
  ["next_iteration", "Next iteration", "Iteration", "M3 8a5 5 0 0 1 9-3V2m0 3H9M13 8a5 5 0 0 1-9 3v3m0-3h3",
    "The same step in the next iteration"],
  ["play", "Play", "Play", "M5 3v10l8-5z", "Step automatically until pressed again"],
];

// What the lab can be saved as: the ending, and what it is.
const FILES = [["", "Save as…"], ["png", "PNG, a picture"], ["svg", "SVG, for slides"], ["pdf", "PDF, for print"],
  ["gif", "GIF, all steps"], ["html", "HTML, steps on its own"]];

// Arithmetic, with no page in it

function isDark([r, g, b]) {
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

function isPlain(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
}

// A box is [name, left, top, width, height, rows, columns], in fractions of its picture, so that it is correct at every
// zoom. An operand of the equation may be transposed, and may show only some of its rows and columns: it has also
// whether it is, and for each row and column that is drawn which one it is, or null for an ellipsis.
export function cellIn(boxes, x, y) {
  for (const [name, left, top, width, height, rows, cols, transposed, down, across] of boxes) {
    if (x >= left && x < left + width && y >= top && y < top + height) {
      const row = Math.floor(((y - top) / height) * rows), col = Math.floor(((x - left) / width) * cols);
      const at = [down ? down[row] : row, across ? across[col] : col];
      if (!name || at.includes(null)) return null;
      return [name, ...(transposed ? at.reverse() : at)];
    }
  }
  return null;
}

// The box at whose name a place is: above its upper edge, by no more than so much.
export function nameAt(boxes, x, y, above) {
  return boxes.find(([, left, top, width]) => x >= left && x < left + width && y < top && y >= top - above)?.[0];
}

// Where a frame [name, first row, last row, first column, last column, kind] is in a box, as left, top, width, height;
// null if nothing of it is drawn.
export function placeIn([, left, top, width, height, rows, cols, transposed, down, across], [, ...cells]) {
  const [r0, r1, c0, c1] = transposed ? [cells[2], cells[3], cells[0], cells[1]] : cells;
  const drawn = (shown, first, last) => {
    if (!shown) return [first, last];
    const those = shown.map((n, k) => (n !== null && n >= first && n <= last ? k : null)).filter((k) => k !== null);
    return [those[0], those.at(-1)];
  };
  const [[y0, y1], [x0, x1]] = [drawn(down, r0, r1), drawn(across, c0, c1)];
  if (y0 === undefined || x0 === undefined) return null;
  return [left + (x0 / cols) * width, top + (y0 / rows) * height, ((x1 - x0 + 1) / cols) * width,
    ((y1 - y0 + 1) / rows) * height];
}

// The frames of a cell and of what it is made of, by the rule for its matrix. A rule names, for each operand, which of
// its rows and columns: "i" or "j", as in the cell, "*" for all, "0" for the first. Without a rule, only the cell.
export function framesOf(rules, boxes, [name, i, j]) {
  const range = { i: () => [i, i], j: () => [j, j], "*": (n) => [0, n - 1], 0: () => [0, 0] };
  const found = (rules[name] ?? []).flatMap(([operand, row, col]) => {
    const box = boxes.find(([other]) => other === operand);
    return box ? [[operand, ...range[row](box[5]), ...range[col](box[6]), "operand"]] : [];
  });
  return [...found, [name, i, i, j, j, "result"]];
}

// Which of the layouts of labs.css: `large` is for the back row of a lecture hall.
export function kindOf(width, height, large) {
  if (width < 500) return "phone";
  if (large && width >= 800) return "large";
  if (width < 700 || height > 0.9 * width) return "tall";
  return width >= 1150 && height >= 600 ? "wide" : "desktop";
}

// How high the view is in a panel, of which what stands above the view takes a part.
export function heightIn(panel, above, kind) {
  return Math.round(Math.min(MOST, Math.max(LEAST[kind], panel - above - 6)));
}

// The first and the last of the rows that lie between a top and a bottom, counted from 1; null if none does.
export function termsSeen(rows, top, bottom) {
  const seen = rows.map((row, k) => (row.top >= top && row.bottom <= bottom ? k + 1 : 0)).filter(Boolean);
  return seen.length ? [seen[0], seen.at(-1)] : null;
}

// The page

// The first background that is not transparent, going up from the element: the theme's, wherever the lab is shown.
function paperOf(element) {
  for (let at = element; at; at = at.parentElement) {
    const [r, g, b, alpha = 1] = (getComputedStyle(at).backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
    if (r !== undefined && alpha > 0) return [r, g, b];
  }
  return [255, 255, 255];
}

// The height of what is really seen of the page around the element: of the panel that scrolls, or of the window. A frame
// that is no panel, as some hosts have it, becomes as high as what is in it; there only the screen can tell.
function visibleHeight(element) {
  let panel = Infinity;
  for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
    const { overflowY } = getComputedStyle(at);
    if ((overflowY === "auto" || overflowY === "scroll") && !at.closest(".jp-Cell, .jp-OutputArea-child")) {
      panel = Math.min(panel, at.clientHeight);
    }
  }
  if (panel < Infinity) return Math.min(panel, window.innerHeight);
  return window.parent === window ? window.innerHeight : 0.65 * screen.availHeight;
}

// The whole lab around an element: one may have another within.
function labAround(element) {
  const lab = element.closest(".bpl-lab");
  return lab?.parentElement.closest(".bpl-lab") ?? lab;
}

function newName() {
  return Math.random().toString(36).slice(2); // crypto.randomUUID is there only on pages that count as secure
}

function make(tag, className, parent, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "path"));
  svg.firstChild.setAttribute("d", path);
  return svg;
}

// To the clipboard, also on pages to which the browser denies it.
async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", "", near);
    area.value = text;
    area.style.cssText = "position: fixed; opacity: 0";
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("the browser refused");
  }
}

// A button that copies a text, if there is one, and confirms it.
function makeCopy(parent, word, text) {
  const button = make("button", "bpl-button", parent, word);
  button.type = "button";
  button.onclick = async () => {
    const now = text();
    if (!now) return;
    try {
      await copy(now, parent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the text and copy it";
    }
    setTimeout(() => (button.textContent = word), 1500);
  };
}

// A label with a field that reports what was typed when Enter is pressed.
function makeField(parent, text, title, report) {
  const label = make("label", "bpl-field", parent, text);
  const field = make("input", "", label);
  field.title = title;
  field.autocomplete = "off";
  field.addEventListener("keydown", (event) => event.key === "Enter" && field.value && report(field.value));
  return field;
}

// A picture with frames over it.
function makePicture(parent, className) {
  const figure = make("div", className, parent);
  const image = make("img", "", figure);
  image.decoding = "sync";
  const frames = make("div", "bpl-frames", figure);
  let shown;
  return {
    figure,
    image,
    boxes: [],
    // Whether there is a new picture, which will be there as soon as the browser has decoded it.
    show(bytes) {
      if (bytes === shown) return false;
      shown = bytes;
      const old = image.src;
      image.hidden = !bytes?.byteLength;
      if (image.hidden) return false;
      image.src = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
      if (old) URL.revokeObjectURL(old);
      return true;
    },
    // A picture drawn for n device pixels is shown on exactly n of them.
    fit() {
      image.style.width = `${image.naturalWidth / window.devicePixelRatio}px`;
    },
    frame(wanted, wrong) {
      const marks = this.boxes.flatMap((box) => wanted.filter(([name]) => name === box[0]).flatMap((frame) => {
        const place = placeIn(box, frame);
        if (!place) return [];
        const mark = make("div", `bpl-frame bpl-${frame[5]}`);
        ["left", "top", "width", "height"].forEach((side, k) => mark.style.setProperty(`--${side}`, `${100 * place[k]}%`));
        return [mark];
      }));
      for (const [name, left, top, width] of this.boxes) {
        if (!wrong.includes(name)) continue;
        const cross = make("div", "bpl-cross", null, "✗");
        cross.style.left = `${100 * (left + width)}%`;
        cross.style.top = `${100 * top}%`;
        marks.push(cross);
      }
      frames.replaceChildren(...marks);
    },
    placeOf(event) {
      const { left, top, width, height } = image.getBoundingClientRect();
      return [(event.clientX - left) / width, (event.clientY - top) / height, height];
    },
    cellAt(event) {
      const [x, y] = this.placeOf(event);
      return cellIn(this.boxes, x, y);
    },
    nameAt(event) {
      const [x, y, height] = this.placeOf(event);
      return nameAt(this.boxes, x, y, NAME / height);
    },
  };
}

// Whether anybody has scrolled or typed since the lab was made, which is before it is shown.
let touched = false;
function initialize() {
  touched = false;
  const heard = new AbortController();
  const touch = () => { touched = true; heard.abort(); };
  const options = { capture: true, passive: true, signal: heard.signal };
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) window.addEventListener(kind, touch, options);
  return () => heard.abort();
}

// Whether its cell is, in part at least, in sight in a notebook of JupyterLab or Notebook 7. Other hosts are not known.
function isInNotebook(element) {
  const cell = element.closest(".jp-Cell")?.getBoundingClientRect();
  const panel = element.closest(".jp-WindowedPanel-outer, .jp-Notebook")?.getBoundingClientRect();
  return Boolean(cell && panel && cell.bottom > panel.top && cell.top < panel.bottom);
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

  const layout = () => model.get("layout_of_steps"), state = () => model.get("state");
  const hasSteps = () => Boolean(layout().steps?.length);

  const board = make("div", "bpl-board", el);
  const transport = make("div", "bpl-transport", board);
  const timeline = make("div", "bpl-timeline", board);
  timeline.setAttribute("role", "group");
  timeline.setAttribute("aria-label", "Steps of this iteration");
  const map = makePicture(make("div", "bpl-map", board), "bpl-picture");
  map.figure.tabIndex = 0;
  map.figure.setAttribute("role", "group");
  map.figure.setAttribute("aria-label", model.get("label"));
  const card = make("div", "bpl-card", board);
  const operation = makePicture(make("div", "bpl-operation", board), "bpl-equation");
  operation.image.alt = "";
  const sum = make("div", "bpl-sum", board);
  card.setAttribute("role", "group");
  card.setAttribute("aria-label", "The step in words");
  sum.setAttribute("role", "group");
  sum.setAttribute("aria-label", "The chosen cell, worked out");

  // Transport

  const buttons = {};
  for (const [what, name, word, path, why] of ACTIONS) {
    const button = (buttons[what] = make("button", `bpl-button bpl-do-${what}`, transport));
    button.type = "button";
    button.append(icon(path));
    if (word !== name) make("span", "bpl-long", button, name);
    make("span", word !== name ? "bpl-short" : "", button, word);
    button.setAttribute("aria-label", name);
    button.title = why;
    button.onclick = () => tell({ kind: "do", what });
  }
  const speed = make("select", "bpl-button", transport);
  speed.setAttribute("aria-label", "speed");
  speed.title = "Playback speed";
  speed.onchange = () => tell({ kind: "speed", speed: speed.value });
  const badge = make("span", "bpl-badge", transport);
  const where = make("span", "bpl-where", transport);
  const iteration = make("span", "bpl-iteration", where), loss = make("span", "bpl-loss-now", where);

  function showTransport() {
    const now = state();
    buttons.play.setAttribute("aria-pressed", Boolean(now.playing));
    buttons.play.lastChild.textContent = now.playing ? "Pause" : "Play";
    buttons.play.querySelector("path").setAttribute("d", now.playing ? "M4 3h3v10H4zM9 3h3v10H9z" : ACTIONS[5][3]);
    speed.value = now.speed ?? "";
    badge.textContent = now.badge ? `✗ ${now.badge}` : "";
    badge.title = now.badge ? `Planted: ${now.badge}` : "";
    iteration.textContent = `iteration ${now.iteration}`;
    loss.textContent = now.loss ? `loss ${now.loss}` : "";
  }

  // Timeline

  let stops = [];
  function makeTimeline() {
    const { steps = [], speeds = [], hidden = [] } = layout();
    board.classList.toggle("bpl-plain", !hasSteps());
    for (const part of [buttons.play, speed]) part.hidden = hidden.includes("play");
    speed.replaceChildren(...speeds.map((name) => make("option", "", null, name)));
    timeline.replaceChildren();
    let group = null;
    stops = steps.map(([name, phase], position) => {
      if (!group?.classList.contains(`bpl-${phase}`)) {
        group = make("div", `bpl-phase bpl-${phase}`, timeline);
        make("span", "", group, phase);
      }
      const stop = make("button", "", group, name);
      stop.type = "button";
      stop.onclick = () => tell({ kind: "jump", index: position + 1 });
      return stop;
    });
  }

  function showTimeline() {
    const { index, wrong } = state();
    stops.forEach((stop, position) => {
      const isWrong = wrong.includes(stop.textContent), isCurrent = position === index - 1;
      stop.classList.toggle("bpl-shown", position < index);
      stop.classList.toggle("bpl-failed", isWrong);
      stop.title = isWrong ? `Go to ${stop.textContent}, which is wrong` : `Go to ${stop.textContent}`;
      if (isCurrent) stop.setAttribute("aria-current", "step");
      else stop.removeAttribute("aria-current");
    });
  }

  // Where there is no room for the whole timeline, it follows the current step.
  function keepInSight() {
    const { left, right } = (stops[state().index - 1] ?? timeline).getBoundingClientRect();
    const row = timeline.getBoundingClientRect();
    if (left < row.left || right > row.right) timeline.scrollLeft += (left + right - row.left - row.right) / 2;
    showEnd();
  }

  // The end of the timeline fades where it goes on.
  function showEnd() {
    timeline.classList.toggle("bpl-goes-on", timeline.scrollLeft + timeline.clientWidth < timeline.scrollWidth - 1);
  }
  timeline.addEventListener("scroll", showEnd);

  // Card, with a question in its place while one is asked

  const head = make("div", "bpl-words", card);
  const question = make("div", "bpl-question", card);
  const said = make("div", "bpl-said", card);
  said.setAttribute("role", "status");
  const because = makeField(card, "Why?", "Type your reason in one line and press Enter", (text) => {
    tell({ kind: "do", what: "why", text });
    because.value = "";
  });

  let questionShown = "";
  function showQuestion() {
    const { question: now, why } = state(), all = JSON.stringify(now);
    because.parentElement.hidden = !why;
    question.hidden = !now;
    if (all === questionShown) return;
    questionShown = all;
    because.value = "";
    const hadFocus = question.contains(document.activeElement);
    question.replaceChildren();
    if (!now) return;
    if (!now.beside) make("h4", "", question, now.title);
    make("p", "", question, now.text);
    const answers = make("div", "bpl-signs", question);
    if (now.told) make("div", `bpl-note ${now.right ? "bpl-is-right" : ""}`, make("div", "bpl-said", question), now.told);
    for (const choice of now.choices) {
      const button = make("button", "bpl-button", answers, choice);
      button.type = "button";
      button.onclick = () => tell({ kind: "do", what: "answer", text: choice });
    }
    if (now.field) {
      const guess = makeField(answers, now.field, "Type your answer and press Enter", (text) => {
        tell({ kind: "do", what: "answer", text });
        guess.value = "";
      });
    }
    for (const [what, word] of now.buttons ?? []) {
      const button = make("button", "bpl-button bpl-more", answers, word);
      button.type = "button";
      button.onclick = () => tell({ kind: "do", what });
    }
    if (hadFocus) answers.querySelector("input, button")?.focus({ preventScroll: true });
  }
  const words = make("div", "bpl-words", card);

  // What is said to the learner stands where the sentence and the formula were, which can be read again later.
  let cardShown = "";
  function showCard() {
    const { card: now, remarks, question: asked, why } = state(), note = model.get("note");
    const all = JSON.stringify([now, remarks, note, asked, why]);
    if (all === cardShown) return;
    cardShown = all;
    const predicts = asked && !asked.beside; // what stands beside the step does not hide it
    operation.image.style.visibility = predicts ? "hidden" : ""; // it is of the step before, and no rule for this one
    card.className = `bpl-card bpl-${predicts ? "predict" : now.phase}`;
    showQuestion();
    words.hidden = Boolean(predicts);
    said.replaceChildren();
    if (note.text) make("div", `bpl-${note.kind}`, said, note.text);
    head.replaceChildren();
    const line = make("div", "bpl-head", head);
    make("span", "bpl-chip", line, predicts ? "predict" : now.phase);
    make("span", "bpl-place", line, asked?.beside ? "" : now.place);
    if (asked?.beside) make("h4", "", line, asked.title);
    words.replaceChildren();
    if (!predicts) make("h4", "", asked ? words : head, now.title); // a question stands above it
    if (now.sentence && !note.text) make("p", "", words, now.sentence);
    if (now.formula && !note.text) make("div", "bpl-formula", words).innerHTML = now.formula;
    if (now.code) make("code", now.right ? "bpl-wrong" : "", make("div", "bpl-line", words), now.code);
    if (now.right) make("code", "bpl-right", make("div", "bpl-line", words), now.right);
    if (now.shapes) make("div", "bpl-shapes", words, now.shapes);
    if (remarks.length) {
      const about = make("div", "bpl-remarks", words);
      for (const { kind, text } of remarks) make("div", `bpl-${kind}`, about, text);
    }
    toMeasure.push(() => {
      card.scrollTop = 0;
      for (const each of [card, ...words.querySelectorAll(".bpl-line")]) letScroll(each);
    });
  }

  // What scrolls can be reached by keyboard.
  function letScroll(element) {
    if (element.scrollHeight > element.clientHeight + 1) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  }

  // The sum

  const hint = make("p", "bpl-hint", sum, "Point at a number, or tap it, to see what it is made of. A click keeps it.");
  const workedAt = make("div", "", sum);
  const change = makeField(sum, "new value:", "Type a new number and press Enter", (text) => {
    tell({ kind: "do", what: "edit", text });
    change.value = "";
  });

  let sumShown = "", terms = 0;
  function showSum() {
    const { sum: now, edit } = state(), all = JSON.stringify([now, edit]);
    if (all === sumShown) return;
    sumShown = all;
    hint.hidden = Boolean(now);
    change.parentElement.hidden = !edit;
    workedAt.replaceChildren();
    toMeasure.push(() => {
      sum.scrollTop = 0;
      fitSum();
    });
    terms = now?.terms.length ?? 0;
    if (!now) return;
    const worked = make("div", "bpl-worked", workedAt);
    const head = make("div", "bpl-name", worked, `${now.cell} = `);
    head.title = now.words;
    if (now.label) make("span", "", head, now.label);
    if (state().pinned) make("span", "bpl-kept", head, "kept").title = "Click the cell again to let it go";
    make("span", "bpl-more", head);
    const table = make("table", "", worked);
    for (const line of now.lines) make("td", "bpl-expression", make("tr", "", table), line).colSpan = 3;
    for (const { text, sign, value, share, largest } of now.terms) {
      const row = make("tr", largest ? "bpl-largest" : "", table);
      make("td", "", row, text);
      make("td", share < 0 ? "bpl-minus" : share > 0 ? "bpl-plus" : "", row, `${sign} ${value}`);
      const bar = make("i", share < 0 ? "bpl-minus" : "bpl-plus", make("td", "bpl-bar", row));
      bar.style.width = `${Math.round(100 * Math.abs(share))}%`;
    }
    const total = make("tr", "bpl-total", table);
    if (now.lines.length) make("td", "bpl-expression", total, `= ${now.total}`).colSpan = 3;
    else for (const text of [now.of, `= ${now.total}`, ""]) make("td", "", total, text);
  }

  // Where its numbers have no room beside their bars, a sum goes without them.
  function fitSum() {
    sum.classList.remove("bpl-tight");
    sum.classList.toggle("bpl-tight", sum.scrollWidth > sum.clientWidth);
    showMore();
  }

  // Of a sum with more terms than there is room for, which ones are seen.
  function showMore() {
    letScroll(sum);
    const more = sum.querySelector(".bpl-more"), rows = [...sum.querySelectorAll("tr:not(.bpl-total)")];
    if (!more) return;
    const top = more.parentElement.getBoundingClientRect().bottom - 3, total = sum.querySelector(".bpl-total");
    const seen = termsSeen(rows.map((row) => row.getBoundingClientRect()), top, total.getBoundingClientRect().top + 3);
    more.textContent = terms && seen && seen[1] - seen[0] + 1 < terms ? `${seen[0]}–${seen[1]} of ${terms} terms` : "";
    total.classList.toggle("bpl-on-top", Boolean(more.textContent && seen[1] < terms));
  }
  sum.addEventListener("scroll", showMore);

  // Below: ways to keep what is shown, and what More has opened

  const below = make("div", "bpl-below", el), ways = make("div", "bpl-ways", below);
  below.hidden = true;
  const call = make("code", "bpl-call", ways), but = make("span", "", ways);
  makeCopy(ways, "Copy this call", () => state().below.call);
  makeCopy(ways, "Copy link", () => state().below.link || tell({ kind: "do", what: "link" })); // which says why not
  const save = make("select", "bpl-button", ways);
  save.setAttribute("aria-label", "Save");
  save.title = "Save what is shown as a file";
  for (const [value, text] of FILES) make("option", "", save, text).value = value;
  save.onchange = () => {
    tell({ kind: "do", what: "save", text: save.value });
    save.value = "";
    save.options[0].textContent = "Saving…";
  };
  const tables = make("div", "", below), scripts = make("div", "", below);
  makeCopy(scripts, "Copy the script", () => state().below.script);
  const script = make("pre", "bpl-script", scripts);
  script.tabIndex = 0;
  script.setAttribute("role", "region");
  script.setAttribute("aria-label", "The step as a NumPy script");

  function showBelow() {
    const { below: now } = state();
    below.hidden = !now;
    if (!now) return;
    ways.hidden = !now.call;
    call.textContent = now.call;
    but.textContent = now.but;
    tables.innerHTML = now.tables;
    scripts.hidden = !now.script;
    script.textContent = now.script;
  }

  function download({ name }, [data]) {
    save.options[0].textContent = FILES[0][1];
    if (!data.byteLength) return; // it could not be made
    const link = make("a", "", el);
    link.download = name;
    link.href = URL.createObjectURL(new Blob([data]));
    link.click();
    link.remove();
    URL.revokeObjectURL(link.href);
  }

  // The cell that is pointed at: known here at once, whatever the kernel says, and whenever. Each report has a name; the
  // state in which the kernel names it is the answer to it, and from then on its word counts.

  let cell = null, pinned = false, asked = "";

  function frameAll() {
    const now = state();
    if (!hasSteps()) return;
    const isKnown = JSON.stringify(cell) === JSON.stringify(now.cell);
    const own = cell && (isKnown ? now.sources : framesOf(layout().rules, map.boxes, cell));
    for (const picture of [map, operation]) picture.frame(own || now.frames, now.wrong);
    sum.classList.toggle("bpl-late", !isKnown);
  }

  // A click on what is not there yet goes to the step that computes it first.
  function point(found, pins, clicked) {
    const isThere = found && (!hasSteps() || layout().since[found[0]] <= state().index);
    if (found && !isThere && clicked) tell({ kind: "jump", index: layout().since[found[0]] });
    const wanted = isThere || clicked ? found : null;
    pins &&= Boolean(wanted);
    if (!clicked && JSON.stringify(wanted) === JSON.stringify(cell)) return;
    cell = wanted;
    pinned = pins;
    asked = newName();
    frameAll();
    tell({ kind: "cell", cell, pinned, clicked, name: asked });
  }

  for (const picture of [map, operation]) {
    const { image } = picture;
    const hover = (event, found) => event.pointerType !== "touch" && !pinned && point(found, false, false);
    image.addEventListener("pointermove", (event) => hover(event, picture.cellAt(event)));
    image.addEventListener("pointerleave", (event) => hover(event, null));
    image.addEventListener("click", (event) => {
      map.figure.focus({ preventScroll: true });
      const found = picture.cellAt(event), named = !found && layout().since?.[picture.nameAt(event)];
      if (named) return tell({ kind: "jump", index: named });
      const again = pinned && JSON.stringify(found) === JSON.stringify(cell);
      point(again && event.pointerType === "touch" ? null : found, !again, true); // a finger does not hover
    });
  }

  // What needs sizes is done last: each look at one lays the page out anew.
  const toMeasure = [];
  function measure() {
    for (const look of toMeasure.splice(0)) look();
    keepInSight();
  }

  // A new map goes ahead: what belongs to it is made once it is on the screen.
  let goesAhead = false;
  function showMap() {
    goesAhead = map.show(model.get("picture")) || goesAhead;
  }
  function mapIsThere() {
    requestAnimationFrame(() => setTimeout(() => {
      goesAhead = false;
      showState();
    }));
  }

  function showState() {
    if (!hasSteps() || goesAhead) return;
    operation.show(model.get("operation"));
    const now = state();
    if (now.heard === asked) asked = "";
    if (!asked) [cell, pinned] = [now.cell, now.pinned];
    operation.boxes = now.operation ?? [];
    showTransport();
    showTimeline();
    showCard();
    showSum();
    showBelow();
    frameAll();
    measure();
  }

  function showLayout() {
    makeTimeline();
    showState();
  }

  function showBoxes() {
    map.boxes = model.get("boxes").map((box) => box.slice(0, 7));
    frameAll();
  }

  function showAlt() {
    map.image.alt = model.get("alt");
  }

  // Sizes

  // A lab may be shown more than once, and on several pages. The kernel counts its views, and keeps pictures only for
  // those there are; so one that leaves says so. One that comes back, with a page that had been put away, is a new one.
  let view = newName(), told = "", around = null, awaited = true;

  // The layout decides how much room there is for each picture, and the kernel draws pictures that fit.
  function reportPage() {
    const width = Math.floor(board.clientWidth);
    if (width <= 0) return;
    if (around !== labAround(el)) { // which may be put around it only now
      around = labAround(el);
      resized.observe(around);
    }
    const paper = paperOf(board), dark = isDark(paper), seen = visibleHeight(el);
    board.style.setProperty("--page", `rgb(${paper})`);
    for (const part of [board, below]) part.classList.toggle("bpl-dark", dark);
    const page = { kind: "page", view, width, height: seen, ratio: window.devicePixelRatio, dark };
    if (hasSteps()) {
      const top = (labAround(el) ?? board).getBoundingClientRect().top;
      const above = board.getBoundingClientRect().top - top, kind = kindOf(width, seen - above, layout().large);
      for (const other of Object.keys(LEAST)) board.classList.toggle(`bpl-${other}`, other === kind);
      board.style.height = `${heightIn(seen, above, kind)}px`;
      for (const [name, { figure }] of [["map", map], ["operation", operation]]) {
        const { clientWidth, clientHeight } = figure.parentElement;
        page[name] = [clientWidth, clientHeight];
      }
      page.kind_of_layout = kind;
      letScroll(card);
      fitSum();
      keepInSight();
    }
    showTooltips();
    if (JSON.stringify(page) === told) return;
    told = JSON.stringify(page);
    tell(page);
  }

  function leave() {
    tell({ kind: "gone", view });
    view = newName();
    awaited = true;
  }

  let pending = 0;
  function pageChanged() {
    clearTimeout(pending);
    pending = setTimeout(reportPage, 120);
  }

  // ipywidgets shows no tooltip on a control with a label, so the label gets it here; and a slider has no name, so it
  // gets that of the field beside it.
  function showTooltips() {
    const tooltips = model.get("tooltips");
    for (const label of labAround(el)?.querySelectorAll("label.widget-label") ?? []) {
      label.title = tooltips[label.textContent.trim()] ?? label.title;
    }
    for (const handle of labAround(el)?.querySelectorAll(".noUi-handle") ?? []) {
      handle.ariaLabel = `${handle.closest(".widget-hbox")?.querySelector("label")?.textContent ?? ""} slider`.trim();
    }
  }

  // Where nothing else keeps room for the picture, its shape does until it is there, so that the page does not jump.
  if (!hasSteps()) {
    map.figure.style.width = "100%";
    map.figure.style.aspectRatio = model.get("aspect");
  }
  map.image.onload = () => {
    map.figure.style.width = map.figure.style.aspectRatio = "";
    map.fit();
    mapIsThere();
    if (!awaited && !state().playing) return;
    showTooltips();
    awaited = false;
    tell({ kind: "shown", frame: model.get("frame"), view });
  };
  map.image.onerror = mapIsThere;
  operation.image.onload = operation.fit;

  map.figure.addEventListener("keydown", (event) => {
    if (!KEYS.includes(event.key) || !isPlain(event)) return;
    event.preventDefault();
    event.stopPropagation();
    tell({ kind: "key", key: event.key });
  });

  // To the whole lab, or to a part of it that has just been opened, once it is there. If it is for a `view`, nobody has
  // asked for it: then only that one comes, with all that is around it, and the focus stays where it is.
  function hear(message, buffers) {
    if (message.do === "download") download(message, buffers);
    if (message.do !== "come") return;
    const lab = labAround(el) ?? el;
    if (message.view) {
      if (message.view === view && !touched && isInNotebook(el)) lab.scrollIntoView({ block: "start" });
      return;
    }
    if (message.to) {
      setTimeout(() => lab.querySelector(`.${message.to}`)?.scrollIntoView({ block: "nearest" }), 150);
      return;
    }
    lab.scrollIntoView({ block: "start" });
    map.figure.focus({ preventScroll: true });
  }

  // Notebook 7 looks for its shortcuts before the lab sees a key, and JupyterLab among the keys that the lab ignores: A
  // on a slider would insert a cell. A plain key on a control of the lab is marked as the lab's before either looks.
  function keepPlainKeys(event) {
    if (!labAround(el)?.contains(event.target)) return;
    event.target.toggleAttribute("data-lm-suppress-shortcuts", isPlain(event));
  }
  window.addEventListener("keydown", keepPlainKeys, true);

  const listeners = {
    "change:layout_of_steps": () => { showLayout(); pageChanged(); },
    "change:boxes": showBoxes,
    "change:state": showState,
    "change:picture": showMap,
    "change:alt": showAlt,
    "change:note": showState,
    "msg:custom": hear,
  };
  showBoxes();
  showLayout();
  showAlt();
  showMap();
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);

  const resized = new ResizeObserver(pageChanged);
  const themed = new MutationObserver(pageChanged);
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  const zoomed = () => pageChanged();
  window.addEventListener("resize", zoomed);
  window.addEventListener("pagehide", leave);
  window.addEventListener("pageshow", reportPage);
  // Only once it is in the page does it know what is around it.
  requestAnimationFrame(() => {
    resized.observe(board);
    reportPage();
  });

  return () => {
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
    resized.disconnect();
    themed.disconnect();
    window.removeEventListener("resize", zoomed);
    window.removeEventListener("pagehide", leave);
    window.removeEventListener("pageshow", reportPage);
    window.removeEventListener("keydown", keepPlainKeys, true);
    clearTimeout(pending);
    for (const { image } of [map, operation]) URL.revokeObjectURL(image.src);
    leave();
    el.replaceChildren(); // whoever holds the element keeps nothing more
  };
}

export default { initialize, render };
