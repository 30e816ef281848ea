// The room there is for the view, which decides its layout, and which the kernel is told.

import { heightIn, isDark, kindOf, LEAST, newName } from "./arithmetic.js";
import { labAround, nameControls, paperOf, visibleHeight } from "./surroundings.js";

const PATIENCE = 2000; // ms until the kernel is told again what room there is, and twice as many each further time

// A lab may be shown more than once, and on several pages. The kernel counts its views, and keeps pictures only for
// those there are; so one that leaves says so. One that comes back, with a page that had been put away, is a new one.
// A view is awaited until its first picture is shown.
export function makePresence(tell) {
  const presence = { view: newName(), awaited: true, leave };
  function leave() {
    tell({ kind: "gone", view: presence.view });
    presence.view = newName();
    presence.awaited = true;
  }
  return presence;
}

// The layout decides how much room there is for each picture, and the kernel draws pictures that fit.
function lay(el, { board, map, operation }, width, seen, large) {
  const top = (labAround(el) ?? board).getBoundingClientRect().top;
  const above = board.getBoundingClientRect().top - top, kind = kindOf(width, seen - above, large);
  for (const other of Object.keys(LEAST)) board.classList.toggle(`bpl-${other}`, other === kind);
  board.style.height = `${heightIn(seen, above, kind, board.classList.contains("bpl-asks"))}px`;
  const roomFor = ({ figure: { parentElement } }) => [parentElement.clientWidth, parentElement.clientHeight];
  return { map: roomFor(map), operation: roomFor(operation) };
}

// `fit` is called when the layout may have changed.
export function makeRoom(el, parts, { layout, hasSteps, tell, tooltips }, presence, fit) {
  const { board, below, map, operation } = parts;
  let told = "", around = null, pending = 0, again = 0;

  function report() {
    const width = Math.floor(board.clientWidth);
    if (width <= 0) return;
    if (around !== labAround(el)) { // which may be put around it only now
      around = labAround(el);
      resized.observe(around);
    }
    const paper = paperOf(board), dark = isDark(paper), seen = visibleHeight(el), { view } = presence;
    board.style.setProperty("--page", `rgb(${paper})`);
    for (const part of [board, below.element]) part.classList.toggle("bpl-dark", dark);
    const page = { kind: "page", view, width, height: seen, ratio: window.devicePixelRatio, dark };
    if (hasSteps()) {
      Object.assign(page, lay(el, parts, width, seen, layout().large));
      fit();
    }
    nameControls(around, tooltips());
    if (JSON.stringify(page) === told) return;
    told = JSON.stringify(page);
    tellUntilShown(page, PATIENCE);
  }

  // A kernel that starts, or answers in several threads, may lose a message; and without this one nothing is drawn.
  function tellUntilShown(page, patience) {
    tell(page);
    clearTimeout(again);
    again = setTimeout(() => presence.awaited && tellUntilShown(page, 2 * patience), patience);
  }

  function changed() {
    clearTimeout(pending);
    pending = setTimeout(report, 120);
  }

  const resized = new ResizeObserver(changed), themed = new MutationObserver(changed);

  // Returns a function that ends this.
  function watch() {
    const heard = new AbortController(), { signal } = heard;
    themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
    window.addEventListener("resize", changed, { signal });
    window.addEventListener("pagehide", presence.leave, { signal });
    window.addEventListener("pageshow", report, { signal });
    // Only once it is in the page does it know what is around it.
    requestAnimationFrame(() => {
      for (const part of [board, map.figure.parentElement, operation.figure.parentElement]) resized.observe(part);
      report();
    });
    return () => {
      heard.abort();
      resized.disconnect();
      themed.disconnect();
      clearTimeout(pending);
      clearTimeout(again);
    };
  }

  return { changed, watch };
}
