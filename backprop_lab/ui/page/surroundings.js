// What is around the view: the theme, the panel that scrolls, the lab with its controls.

import { isPlain } from "./arithmetic.js";

// The first background that is not transparent, going up from the element: the theme's, wherever the lab is shown.
export function paperOf(element) {
  for (let at = element; at; at = at.parentElement) {
    const [r, g, b, alpha = 1] = (getComputedStyle(at).backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
    if (r !== undefined && alpha > 0) return [r, g, b];
  }
  return [255, 255, 255];
}

// The height of what is really seen of the page around the element: of the panel that scrolls, or of the window. A
// frame that is no panel, as some hosts have it, becomes as high as what is in it; there only the screen can tell.
export function visibleHeight(element) {
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

// The whole lab around an element: one may have another within, unless that has been opened below it.
export function labAround(element) {
  const lab = element.closest(".bpl-lab"), outer = lab?.parentElement.closest(".bpl-lab, .bpl-opened");
  return outer?.matches(".bpl-lab") ? outer : lab;
}

// ipywidgets shows no tooltip on a control with a label, so the label gets it here; and a slider has no name, so it
// gets that of the field beside it.
export function nameControls(lab, tooltips) {
  for (const label of lab?.querySelectorAll("label.widget-label") ?? []) {
    label.title = tooltips[label.textContent.trim()] ?? label.title;
  }
  for (const handle of lab?.querySelectorAll(".noUi-handle") ?? []) {
    handle.ariaLabel = `${handle.closest(".widget-hbox")?.querySelector("label")?.textContent ?? ""} slider`.trim();
  }
}

// Notebook 7 looks for its shortcuts before the lab sees a key, and JupyterLab among the keys that the lab ignores: A
// on a slider would insert a cell. A plain key on a control of the lab, or what else is its own, is marked as the lab's
// before either looks. Returns a function that ends this.
export function keepKeys(el, isOwn = isPlain) {
  function mark(event) {
    if (!labAround(el)?.contains(event.target)) return;
    event.target.toggleAttribute("data-lm-suppress-shortcuts", isOwn(event));
  }
  window.addEventListener("keydown", mark, true);
  return () => window.removeEventListener("keydown", mark, true);
}
