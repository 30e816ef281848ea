// The arithmetic of the view: which cell is under the pointer, what is framed and where, which layout and how high.

import assert from "node:assert/strict";
import test from "node:test";
import { cellIn, framesOf, heightIn, kindOf, nameAt, placeIn, termsSeen } from "../../backprop_lab/ui/page/arithmetic.js";

// Name, left, top, width and height in fractions of the picture, rows, columns, and whether it is drawn transposed.
const BOXES = [
  ["W", 0.125, 0.25, 0.25, 0.5, 4, 2],
  ["b", 0.5, 0.25, 0.5, 0.125, 1, 4],
  ["X", 0, 0.875, 0.25, 0.125, 2, 4, true],
];

test("a place in each cell is that cell, and its frame is there, also of a transposed matrix; any other place is none", () => {
  for (const box of BOXES) {
    const [name, left, top, width, height, rows, cols, transposed] = box;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < cols; j++) {
        const [row, col] = transposed ? [j, i] : [i, j];
        for (const at of [0, 0.5, 0.99]) {
          assert.deepEqual(cellIn(BOXES, left + ((j + at) / cols) * width, top + ((i + at) / rows) * height), [name, row, col]);
        }
        const wanted = [left + (j / cols) * width, top + (i / rows) * height, width / cols, height / rows];
        placeIn(box, [name, row, row, col, col, "result"]).forEach((side, k) => assert(Math.abs(side - wanted[k]) < 1e-12));
      }
    }
  }
  assert.deepEqual(placeIn(BOXES[0], ["W", 1, 2, 0, 1, "operand"]), [0.125, 0.375, 0.25, 0.25]);
  for (const [x, y] of [[0.124, 0.3], [0.375, 0.3], [0.2, 0.75], [0.2, 0.249], [1, 0.3]]) {
    assert.equal(cellIn(BOXES, x, y), null);
  }
  const places = [[0.2, 0.249], [0.2, 0.15], [0.2, 0.1], [0.4, 0.2], [0.6, 0.2]];
  assert.deepEqual(places.map(([x, y]) => nameAt(BOXES, x, y, 0.125)), ["W", "W", undefined, undefined, "b"]);
});

test("of a matrix that is not shown whole, the cells and the parts of frames that are drawn are found", () => {
  const box = ["dW", 0, 0, 1, 1, 4, 2, false, [0, 1, null, 7], [5, 6]];
  assert.deepEqual([0.1, 0.3, 0.6, 0.9].map((y) => cellIn([box], 0.7, y)), [["dW", 0, 6], ["dW", 1, 6], null, ["dW", 7, 6]]);
  assert.deepEqual(placeIn(box, ["dW", 0, 9, 6, 6, "operand"]), [0.5, 0, 0.5, 1]);
  assert.deepEqual(placeIn(box, ["dW", 7, 7, 0, 9, "operand"]), [0, 0.75, 1, 0.25]);
  assert.equal(placeIn(box, ["dW", 4, 4, 5, 5, "result"]), null);
});

test("by its rule, a cell is framed with the rows and columns that it is made of; without one, alone", () => {
  const rules = { Y: [["W", "i", "*"], ["b", "0", "j"]], Z: [["W", "*", "j"], ["gone", "i", "j"]] };
  assert.deepEqual(framesOf(rules, BOXES, ["Y", 3, 2]), [
    ["W", 3, 3, 0, 1, "operand"], ["b", 0, 0, 2, 2, "operand"], ["Y", 3, 3, 2, 2, "result"],
  ]);
  assert.deepEqual(framesOf(rules, BOXES, ["Z", 0, 1]), [["W", 0, 3, 1, 1, "operand"], ["Z", 0, 0, 1, 1, "result"]]);
  assert.deepEqual(framesOf(rules, BOXES, ["L", 0, 0]), [["L", 0, 0, 0, 0, "result"]]);
});

test("the layout goes with the room there is, and fills it, but no lower than it can be read", () => {
  for (const [width, height, large, kind] of [
    [930, 600, false, "desktop"], [1180, 560, true, "large"], [390, 720, false, "phone"], [390, 720, true, "phone"],
    [640, 1000, false, "tall"], [520, 400, true, "tall"], [1400, 900, false, "wide"], [1180, 560, false, "desktop"],
    [820, 1100, true, "tall"], [820, 560, true, "large"],
  ]) {
    assert.equal(kindOf(width, height, large), kind);
  }
  assert.equal(heightIn(647, 40, "desktop"), 601);
  assert(heightIn(300, 40, "desktop") > 300);
  assert(heightIn(300, 40, "phone", true) > heightIn(300, 40, "phone", false));
  assert(heightIn(9000, 40, "wide") < 2000);
});

test("of a sum that scrolls it is told which of its terms are seen", () => {
  const rows = [0, 10, 20, 30].map((top) => ({ top, bottom: top + 10 }));
  assert.deepEqual(termsSeen(rows, 0, 40), [1, 4]);
  assert.deepEqual(termsSeen(rows, 5, 35), [2, 3]);
  assert.equal(termsSeen(rows, 12, 18), null);
});
