// The cell that is pointed at: known here at once, whatever the kernel says, and whenever.

import { framesOf, newName } from "./arithmetic.js";

// Each report has a name; the state in which the kernel names it is the answer to it, and from then on its word counts.
export function makePointer({ map, operation, sum }, { layout, state, hasSteps, tell }) {
  let cell = null, pinned = false, asked = "";

  function heed(now) {
    if (now.heard === asked) asked = "";
    if (!asked) [cell, pinned] = [now.cell, now.pinned];
  }

  function frameAll() {
    const now = state();
    if (!hasSteps()) return;
    const isKnown = JSON.stringify(cell) === JSON.stringify(now.cell);
    const own = cell && (isKnown ? now.sources : framesOf(layout().rules, map.boxes, cell));
    const { users = {}, since } = layout(), reached = (cell && users[cell[0]]) || [];
    const goingOn = reached.filter((name) => since[name] <= now.index).map((name) => [name, null, null, null, null, "user"]);
    map.frame([...goingOn, ...(own || now.frames)], now.wrong);
    operation.frame(own || now.frames, now.wrong);
    sum.setLate(!isKnown);
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

  function hover(event, found) {
    if (event.pointerType !== "touch" && !pinned) point(found, false, false);
  }

  function click(event, picture) {
    map.figure.focus({ preventScroll: true });
    const found = picture.cellAt(event), named = !found && layout().since?.[picture.nameAt(event)];
    if (named) return tell({ kind: "jump", index: named });
    const again = pinned && JSON.stringify(found) === JSON.stringify(cell);
    point(again && event.pointerType === "touch" ? null : found, !again, true); // a finger does not hover
  }

  for (const picture of [map, operation]) {
    const { image } = picture;
    image.addEventListener("pointermove", (event) => hover(event, picture.cellAt(event)));
    image.addEventListener("pointerleave", (event) => hover(event, null));
    image.addEventListener("click", (event) => click(event, picture));
  }
  return { heed, frameAll };
}
