// How the page scrolls to the lab: when the learner asked for it, or by itself if nobody has scrolled or typed.

import { labAround } from "./surroundings.js";

// Whether anybody has scrolled or typed since the lab was made, which is before it is shown.
let touched = false;
export function initialize() {
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

// To the whole lab, or to a part of it that has just been opened, once it is there. If the message names a `view`,
// nobody asked for it: then only that one comes, with all that is around it, and the focus stays where it is.
export function come(el, message, view, focus) {
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
  focus();
}
