// Below the board: ways to keep what is shown, and what More has opened.

import { labelled, make, makeCopy } from "./elements.js";

// What the lab can be saved as: the ending, and what it is.
const FILES = [["", "Save as…"], ["png", "PNG, a picture"], ["svg", "SVG, for slides"], ["pdf", "PDF, for print"],
  ["gif", "GIF, all steps"], ["html", "HTML, steps on its own"]];

function makeSave(parent, tell) {
  const save = make("select", "bpl-button", parent);
  save.setAttribute("aria-label", "Save");
  save.title = "Save what is shown as a file";
  for (const [value, text] of FILES) make("option", "", save, text).value = value;
  save.onchange = () => {
    tell({ kind: "do", what: "save", text: save.value });
    save.value = "";
    save.options[0].textContent = "Saving…";
  };
  return save;
}

export function makeBelow(el, { state, tell }) {
  const below = make("div", "bpl-below", el), ways = make("div", "bpl-ways", below);
  below.hidden = true;
  const call = make("code", "bpl-call", ways), but = make("span", "", ways);
  makeCopy(ways, "Copy this call", () => state().below.call);
  makeCopy(ways, "Copy link", () => state().below.link || tell({ kind: "do", what: "link" })); // which says why not
  const save = makeSave(ways, tell);
  const tables = labelled("All values", make("div", "bpl-tables", below), "region"), scripts = make("div", "", below);
  makeCopy(scripts, "Copy the script", () => state().below.script);
  const script = labelled("The step as a NumPy script", make("pre", "bpl-script", scripts), "region");
  tables.tabIndex = script.tabIndex = 0;

  function show({ below: now }) {
    below.hidden = !now;
    if (!now) return;
    ways.hidden = !now.call;
    call.textContent = now.call;
    but.textContent = now.but;
    tables.hidden = !now.tables;
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

  return { element: below, show, download };
}
