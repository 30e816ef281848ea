// Shows one state of a lab, as it is told: pictures, frames, card, timeline, sum. Reports gestures; knows no kernel.
// Its parts lie beside it, a file each; step_view.py makes one module of all.

import { isPlain } from "./arithmetic.js";
import { makeBelow } from "./below.js";
import { makeCard, makeTour } from "./card.js";
import { come, comeOnceShown, initialize } from "./coming.js";
import { labelled, make } from "./elements.js";
import { makePicture } from "./picture.js";
import { makePointer } from "./pointer.js";
import { makePresence, makeRoom } from "./room.js";
import { makeSum } from "./sum.js";
import { keepKeys, labAround, nameControls } from "./surroundings.js";
import { makeTimeline, makeTransport } from "./transport.js";

const MANY = 8; // lines, more than can be read in a phone's room for the operation
const COLUMN = 12; // lines that stand one below the other; more make two columns
const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "Enter", "Escape"];

// What the parts ask the model, and how they tell it something.
function makeLab(model) {
  const layout = () => model.get("layout_of_steps");
  return {
    layout,
    state: () => model.get("state"),
    tooltips: () => model.get("tooltips"),
    hasSteps: () => Boolean(layout().steps?.length),
    // While the kernel restarts, or once it is gone, nobody can hear anything.
    tell(message) {
      try {
        model.send(message);
      } catch (error) {
        console.debug("The kernel did not hear the lab:", error);
      }
    },
  };
}

function makeMap(board, label, tell) {
  const map = makePicture(make("div", "bpl-map", board), "bpl-picture");
  labelled(label, map.figure).tabIndex = 0;
  map.figure.addEventListener("keydown", (event) => {
    if (!KEYS.includes(event.key) || !isPlain(event)) return;
    event.preventDefault();
    event.stopPropagation();
    tell({ kind: "key", key: event.key });
  });
  return map;
}

// All that is seen, in the order in which Tab goes through it.
function makeParts(el, lab, label, later) {
  const board = make("div", "bpl-board", el);
  const transport = makeTransport(board, lab), timeline = makeTimeline(board, lab);
  const map = makeMap(board, label, lab.tell);
  const card = makeCard(board, lab, later), tour = makeTour(board, lab, later);
  const operation = makePicture(make("div", "bpl-operation", board), "bpl-equation");
  operation.image.alt = "";
  operation.image.onload = operation.fit;
  const forward = make("pre", "bpl-overview", operation.figure.parentElement);
  const sum = makeSum(board, lab, later), below = makeBelow(el, lab);
  return { board, transport, timeline, map, card, tour, operation, forward, sum, below };
}

// What shows what the model says, by what has changed there. What needs sizes is done last: each look at one lays the
// page out anew.
function makeShowing(model, lab, parts, pointer, toMeasure) {
  const { board, transport, timeline, map, card, tour, operation, forward, sum, below } = parts;

  // A new map goes ahead: what belongs to it is made once it is on the screen.
  let goesAhead = false, inSight = null;
  function mapIsThere() {
    requestAnimationFrame(() => setTimeout(() => {
      goesAhead = false;
      showState();
    }));
  }

  // It comes with the state, which may be as it was: in another theme, say.
  function showOperation() {
    if (!goesAhead) operation.show(model.get("operation"));
  }

  function showState() {
    if (!lab.hasSteps() || goesAhead) return;
    showOperation();
    const now = lab.state();
    pointer.heed(now);
    operation.boxes = now.operation ?? [];
    operation.figure.style.visibility = operation.boxes.length ? "" : "hidden";
    forward.hidden = now.index > 0 || operation.boxes.length > 0;
    transport.show(now);
    timeline.show(now);
    card.show(now, model.get("note"));
    tour.show(now);
    sum.show(now);
    below.show(now);
    pointer.frameAll();
    for (const look of toMeasure.splice(0)) look();
    const step = lab.layout().steps[now.index - 1]?.[0];
    if (step === inSight) return; // whoever has scrolled to look at another one stays there
    timeline.keepInSight(now);
    map.keepInSight(inSight = step, now.frames.map(([name]) => name));
  }

  const shows = {
    "change:boxes": () => {
      map.boxes = model.get("boxes");
      pointer.frameAll();
    },
    "change:layout_of_steps": () => {
      board.classList.toggle("bpl-plain", !lab.hasSteps());
      for (const part of [transport, timeline]) part.arrange(lab.layout());
      const lines = lab.layout().forward ?? [], columns = lines.length > COLUMN ? 2 : 1;
      const letters = Math.max(1, ...lines.map((line) => line.length));
      forward.textContent = lines.join("\n");
      forward.classList.toggle("bpl-many", lines.length > MANY);
      forward.style.columns = columns;
      forward.style.setProperty("--down", Math.ceil(lines.length / columns));
      forward.style.setProperty("--across", columns * (letters + 3) - 3);
      inSight = null;
      showState();
    },
    "change:alt": () => (map.image.alt = model.get("alt")),
    "change:picture": () => (goesAhead = map.show(model.get("picture")) || goesAhead),
    "change:operation": showOperation,
    "change:note": showState,
    "change:state": showState,
  };
  return { mapIsThere, shows };
}

// Where nothing else keeps room for the map, its shape does until it is there, so that the page does not jump.
function awaitMap(el, model, lab, { figure, image, fit }, presence, mapIsThere) {
  if (!lab.hasSteps()) {
    figure.style.width = "100%";
    figure.style.aspectRatio = 900 / 420;
  }
  let isFirst = true;
  image.onload = () => {
    figure.style.width = figure.style.aspectRatio = "";
    fit();
    mapIsThere();
    if (!presence.awaited && !lab.state().playing) return;
    nameControls(labAround(el), lab.tooltips());
    presence.awaited = false;
    lab.tell({ kind: "shown", frame: model.get("frame"), view: presence.view });
    if (isFirst) comeOnceShown(el);
    isFirst = false;
  };
  image.onerror = mapIsThere;
}

function render({ model, el }) {
  const lab = makeLab(model), presence = makePresence(lab.tell), toMeasure = [];
  const parts = makeParts(el, lab, model.get("label"), (look) => toMeasure.push(look));
  const { timeline, map, card, tour, sum, below } = parts, pointer = makePointer(parts, lab);
  const { mapIsThere, shows } = makeShowing(model, lab, parts, pointer, toMeasure);
  const room = makeRoom(el, parts, lab, presence, () => {
    for (const part of [card, tour, sum]) part.fit();
    timeline.keepInSight(lab.state());
  });
  awaitMap(el, model, lab, map, presence, mapIsThere);

  function hear(message, buffers) {
    if (message.do === "download") below.download(message, buffers);
    if (message.do === "come") come(el, message, () => map.figure.focus({ preventScroll: true }));
  }

  for (const show of new Set(Object.values(shows))) show();
  const listeners = [...Object.entries(shows), ["change:layout_of_steps", room.changed], ["msg:custom", hear]];
  for (const [event, listener] of listeners) model.on(event, listener);
  const unwatch = room.watch(), release = keepKeys(el);

  return () => {
    for (const [event, listener] of listeners) model.off(event, listener);
    unwatch();
    release();
    presence.leave();
    el.replaceChildren(); // something may still hold the element
  };
}

export default { initialize, render };
