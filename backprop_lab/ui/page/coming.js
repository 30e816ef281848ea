// How the page scrolls to the lab: when the learner asked for it, or by itself where its cell has just been run.

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

// To a lab that is shown for the first time, if its cell was run alone, and nobody has scrolled or typed since. In a
// notebook of JupyterLab or Notebook 7, that cell is then the active one or the one above; to run all cells makes the
// last one active. Other hosts are not known.
export function comeOnceShown(el) {
  const cell = el.closest(".jp-Notebook .jp-Cell");
  const isActive = [cell, cell?.nextElementSibling].some((each) => each?.classList.contains("jp-mod-active"));
  if (isActive && !touched) labAround(el)?.scrollIntoView({ block: "start" });
}

// To the whole lab, or to a part of it that has just been opened, once it is there.
export function come(el, message, focus) {
  const lab = labAround(el) ?? el;
  if (message.to) {
    setTimeout(() => lab.querySelector(`.${message.to}`)?.scrollIntoView({ block: "nearest" }), 150);
    return;
  }
  lab.scrollIntoView({ block: "start" });
  focus();
}
