// The sum: what the chosen cell is made of, term by term, and a field to change it.

import { termsSeen } from "./arithmetic.js";
import { labelled, letScroll, make, makeField } from "./elements.js";

function fillName(head, now, pinned) {
  head.title = now.words;
  if (now.label) make("span", "", head, now.label);
  if (pinned) make("span", "bpl-kept", head, "kept").title = "Click the cell again to let it go";
  make("span", "bpl-more", head);
}

function fillTerms(table, now) {
  for (const line of now.lines) make("td", "bpl-expression", make("tr", "", table), line).colSpan = 3;
  for (const { text, sign, value, share, largest } of now.terms) {
    const row = make("tr", largest ? "bpl-largest" : "", table);
    make("td", "", row, text);
    make("td", share < 0 ? "bpl-minus" : share > 0 ? "bpl-plus" : "", row, `${sign} ${value}`);
    const bar = make("i", share < 0 ? "bpl-minus" : "bpl-plus", make("td", "bpl-bar", row));
    bar.style.width = `${Math.round(100 * Math.abs(share))}%`;
  }
  const total = make("tr", "bpl-total", table);
  if (now.lines.length) make("td", "bpl-expression", total, `${now.sign} ${now.total}`).colSpan = 3;
  else for (const text of [now.of, `${now.sign} ${now.total}`, ""]) make("td", "", total, text);
}

// Of a sum with more terms than there is room for, which ones are seen.
function showMore(sum, terms) {
  letScroll(sum);
  const more = sum.querySelector(".bpl-more"), rows = [...sum.querySelectorAll("tr:not(.bpl-total)")];
  if (!more) return;
  const top = more.parentElement.getBoundingClientRect().bottom - 3, total = sum.querySelector(".bpl-total");
  const seen = termsSeen(rows.map((row) => row.getBoundingClientRect()), top, total.getBoundingClientRect().top + 3);
  more.textContent = terms && seen && seen[1] - seen[0] + 1 < terms ? `${seen[0]}–${seen[1]} of ${terms} terms` : "";
  total.classList.toggle("bpl-on-top", Boolean(more.textContent && seen[1] < terms));
}

// What needs sizes is done `later`.
export function makeSum(board, { tell }, later) {
  const sum = labelled("The chosen cell, worked out", make("div", "bpl-sum", board));
  const hint = make("p", "bpl-hint", sum, "Point at a number, or tap it, to see what it is made of. A click keeps it.");
  const workedAt = make("div", "", sum);
  const change = makeField(sum, "new value:", "Type a new number and press Enter", (text) =>
    tell({ kind: "do", what: "edit", text }));

  let shown = "", terms = 0;
  function show({ sum: now, edit, pinned }) {
    const all = JSON.stringify([now, edit, pinned]);
    if (all === shown) return;
    shown = all;
    hint.hidden = Boolean(now);
    change.parentElement.hidden = !edit;
    workedAt.replaceChildren();
    later(() => {
      sum.scrollTop = 0;
      fit();
    });
    terms = now?.terms.length ?? 0;
    if (!now) return;
    const worked = make("div", "bpl-worked", workedAt);
    fillName(make("div", "bpl-name", worked, `${now.cell} = `), now, pinned);
    fillTerms(make("table", "", worked), now);
  }

  // Where its numbers have no room beside their bars, a sum goes without them; where its terms have none, they move up.
  function fit() {
    sum.classList.remove("bpl-tight", "bpl-dense");
    sum.classList.toggle("bpl-tight", sum.scrollWidth > sum.clientWidth);
    sum.classList.toggle("bpl-dense", sum.scrollHeight > sum.clientHeight);
    showMore(sum, terms);
  }
  sum.addEventListener("scroll", () => showMore(sum, terms));

  // While another cell is pointed at than the one that is worked out.
  const setLate = (late) => sum.classList.toggle("bpl-late", late);

  return { show, fit, setLate };
}
