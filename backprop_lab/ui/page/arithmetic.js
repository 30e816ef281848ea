// The arithmetic of the view, with no page in it: what is where in a picture, and which layout fits the room there is.

// The layouts of board.css, each with its least height in CSS pixels: where there is less, the page scrolls.
export const LEAST = { desktop: 440, wide: 560, tall: 760, large: 460, phone: 720 };
const MOST = 1100;

export function isDark([r, g, b]) {
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

export function isPlain(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
}

// A box is [name, left, top, width, height, rows, columns], in fractions of its picture, so that it is correct at every
// zoom. An operand of the equation may be transposed, and may show only some of its rows and columns: its box also says
// whether it is, and of each row and column that is drawn which one it is, or null for an ellipsis.
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
// null if nothing of it is drawn. A frame whose rows are null is around all of it.
export function placeIn([, left, top, width, height, rows, cols, transposed, down, across], [, ...cells]) {
  if (cells[0] === null) return [left, top, width, height];
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

// Which of these layouts: `large` is for the back row of a lecture hall, where rooms are wider than they are high.
export function kindOf(width, height, large) {
  if (width < 500) return "phone";
  if (width < 700 || height > 0.9 * width) return "tall";
  if (large && width >= 800) return "large";
  return width >= 1150 && height >= 600 ? "wide" : "desktop";
}

// How high the view is in a panel, of which what stands above the view takes a part; where it also asks, there is more
// to scroll to on a phone.
export function heightIn(panel, above, kind, asks) {
  const least = LEAST[kind] + (asks && kind === "phone" ? 220 : 0);
  return Math.round(Math.min(MOST, Math.max(least, panel - above - 6)));
}

// The first and the last of the rows that lie between a top and a bottom, counted from 1; null if none does.
export function termsSeen(rows, top, bottom) {
  const seen = rows.map((row, k) => (row.top >= top && row.bottom <= bottom ? k + 1 : 0)).filter(Boolean);
  return seen.length ? [seen[0], seen.at(-1)] : null;
}

// A name that nobody else has: crypto.randomUUID is there only on pages that count as secure.
export function newName() {
  return Math.random().toString(36).slice(2);
}
