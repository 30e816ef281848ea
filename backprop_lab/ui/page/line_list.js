// Two lists of lines. It draws where each line is, and reports the gestures that move one.

import { labelled, make } from "./elements.js";
import { keepKeys } from "./surroundings.js";

const HOW =
  "Click a line to put it into your program, under the blue goal; click it again to take it back. Click another goal " +
  "to go on under that one, or drag a line by its dots to any place.";
const KEYS =
  "Keys: the up and down arrows go from line to line, right puts a line into your program, left takes it back, and " +
  "Shift with up or down moves it.";
const FAR = 6; // pixels: a shorter way is a click

// What an arrow key does with a line: [list, how many others stand before it there], or null.
function moveByKey(key, shift, line, { pool, program }, end) {
  const at = program.indexOf(line);
  if (shift && at >= 0 && key === "ArrowUp") return at > 1 ? ["program", at - 1] : null;
  if (shift && at >= 0 && key === "ArrowDown") return at < program.length - 1 ? ["program", at + 1] : null;
  if (key === "ArrowRight" && at < 0) return ["program", end];
  if (key === "ArrowLeft" && at >= 0) return ["pool", pool.length];
  return null;
}

// Where the lines under a goal end in the program.
function endOf(goal, program) {
  const start = program.indexOf(goal), next = program.findIndex((other, at) => at > start && other < 0);
  return next < 0 ? program.length : next;
}

function render({ model, el }) {
  const root = make("div", "bpl-lines", el);
  for (const [className, text] of [["bpl-how", HOW], ["bpl-how bpl-keys", KEYS]]) make("p", className, root, text);
  const lists = { pool: make("section", "bpl-pool", root), program: make("section", "bpl-program", root) };
  const said = make("div", "bpl-heard", root);
  said.setAttribute("role", "status");
  let goal = -1; // the one under which a click puts a line
  let focus = null; // what has the focus once a move is shown

  const buttons = () => [...root.querySelectorAll("button")];
  const numberOf = (button) => Number(button.dataset.number);
  const button = (number, text, className, parent) => {
    const it = make("button", className, parent, text);
    it.dataset.number = number;
    return it;
  };

  function move(line, to, at, next = line) {
    focus = next;
    model.send({ kind: "move", line, to, at });
  }

  // Put a line into the program, or take it back; the focus goes to the next of those that it leaves.
  function toggle(line) {
    const place = model.get("place"), from = place.pool.includes(line) ? place.pool : place.program;
    const at = from.indexOf(line), near = [from[at + 1], from[at - 1]].find((other) => other >= 0) ?? line;
    if (from === place.pool) move(line, "program", endOf(goal, place.program), near);
    else move(line, "pool", place.pool.length, near);
  }

  function choose(number) {
    goal = number;
    for (const each of root.querySelectorAll(".bpl-goal")) each.setAttribute("aria-pressed", numberOf(each) === goal);
  }

  // One button is reached by Tab, and the others from there by the arrows.
  function reachByTab(one) {
    for (const each of buttons()) each.tabIndex = each === one ? 0 : -1;
  }

  function list(title, numbers, parent) {
    const found = labelled(title, make("ol", "", parent), "list");
    for (const number of numbers) {
      const item = make("li", "", found);
      make("span", "bpl-handle", item, "⠿").setAttribute("aria-hidden", "true");
      button(number, model.get("lines")[number], number === model.get("wrong") ? "bpl-marked" : "", item);
    }
  }

  function draw() {
    const { pool, program } = model.get("place"), goals = model.get("goals");
    const active = root.contains(document.activeElement) ? document.activeElement.dataset.number : undefined;
    for (const section of Object.values(lists)) section.replaceChildren();
    make("b", "", lists.pool, "Lines to choose from");
    list("Lines to choose from", pool, lists.pool);
    make("b", "", lists.program, "Your program");
    program.forEach((number, at) => {
      if (number >= 0) return;
      const heading = button(number, goals[-1 - number], "bpl-goal", lists.program);
      heading.title = "Lines that you click are put at the end of those under this goal";
      list(goals[-1 - number], program.slice(at + 1, endOf(number, program)), lists.program);
    });
    choose(goal);
    const wanted = focus ?? active;
    focus = null;
    const kept = root.querySelector(`button[data-number="${wanted}"]`);
    kept?.focus({ preventScroll: true });
    reachByTab(kept ?? buttons()[0]);
    root.querySelector(".bpl-marked")?.setAttribute("aria-invalid", "true");
  }

  function onClick(event) {
    const it = event.target.closest("button");
    if (!it) return;
    if (numberOf(it) < 0) choose(numberOf(it));
    else toggle(numberOf(it));
  }

  function onKey(event) {
    if (!event.key.startsWith("Arrow") || event.ctrlKey || event.altKey || event.metaKey) return;
    const all = buttons(), at = all.indexOf(event.target), place = model.get("place");
    if (at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    const line = numberOf(event.target);
    const to = line >= 0 && moveByKey(event.key, event.shiftKey, line, place, endOf(goal, place.program));
    if (to && event.shiftKey) move(line, ...to);
    else if (to) toggle(line);
    else if (!event.shiftKey) all[at + { ArrowUp: -1, ArrowDown: 1 }[event.key]]?.focus();
  }

  let drag = null; // { line, item, x, y, moving, target }

  function onDown(event) {
    const item = event.target.closest("li");
    if (!item || event.button !== 0) return;
    if (event.pointerType !== "mouse" && !event.target.closest(".bpl-handle")) return; // a finger scrolls elsewhere
    drag = { line: numberOf(item.querySelector("button")), item, x: event.clientX, y: event.clientY };
  }

  function onMove(event) {
    if (!drag) return;
    const [x, y] = [event.clientX, event.clientY];
    if (!drag.moving && Math.hypot(x - drag.x, y - drag.y) < FAR) return;
    if (!drag.moving) root.setPointerCapture(event.pointerId);
    drag.moving = true;
    drag.item.classList.add("bpl-dragged");
    drag.item.style.translate = `${x - drag.x}px ${y - drag.y}px`;
    drag.target = targetAt(x, y);
    root.querySelector(".bpl-landing")?.classList.remove("bpl-landing");
    const [name, at] = drag.target ?? [];
    for (const each of Object.keys(lists)) lists[each].classList.toggle("bpl-over", each === name);
    if (name) othersIn(lists[name])[at]?.classList.add("bpl-landing");
  }

  const othersIn = (section) =>
    [...section.querySelectorAll("button")].filter((each) => numberOf(each) !== drag.line);

  function targetAt(x, y) {
    for (const [name, section] of Object.entries(lists)) {
      const { left, right, top, bottom } = section.getBoundingClientRect();
      if (x < left || x > right || y < top || y > bottom) continue;
      const boxes = othersIn(section).map((each) => each.getBoundingClientRect());
      return [name, boxes.filter((box) => (box.top + box.bottom) / 2 < y).length];
    }
    return null;
  }

  function onUp(event) {
    const { line, moving, target } = drag ?? {};
    drag = null;
    if (!moving) return;
    for (const section of Object.values(lists)) section.classList.remove("bpl-over");
    const ignore = (click) => click.stopPropagation(); // with which a mouse ends a drag, and a finger does not
    root.addEventListener("click", ignore, true);
    setTimeout(() => {
      root.removeEventListener("click", ignore, true);
      draw(); // back to where it was, until the answer is there
    });
    if (target && event.type === "pointerup") move(line, ...target);
  }

  const say = () => (said.textContent = model.get("said"));
  let hadLines = false;
  function place() {
    const hasLines = model.get("place").program.some((number) => number >= 0);
    if (hadLines && !hasLines && focus === null) goal = -1; // all are taken back at once
    hadLines = hasLines;
    draw();
  }
  const changes = { "change:place": place, "change:wrong": draw, "change:said": say };
  for (const [event, listener] of Object.entries(changes)) model.on(event, listener);
  const gestures = {
    click: onClick,
    keydown: onKey,
    focusin: (event) => reachByTab(event.target),
    pointerdown: onDown,
    pointermove: onMove,
    pointerup: onUp,
    pointercancel: onUp,
  };
  for (const [event, listener] of Object.entries(gestures)) root.addEventListener(event, listener);
  const release = keepKeys(el, ({ key }) => key.startsWith("Arrow"));
  place();
  return () => {
    for (const [event, listener] of Object.entries(changes)) model.off(event, listener);
    release();
  };
}

export default { render };
