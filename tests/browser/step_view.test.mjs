// The arithmetic of the picture: which cell is under the pointer, what is dark, which keys are plain.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const source = readFileSync(new URL("../../backprop_lab/ui/page/step_view.js", import.meta.url));
const { cellIn, isDark, isPlain } = await import(`data:text/javascript;base64,${source.toString("base64")}`);

// Name, left, top, width and height in fractions of the picture, rows, columns.
const BOXES = [
  ["W", 0.125, 0.25, 0.25, 0.5, 4, 2],
  ["b", 0.5, 0.25, 0.5, 0.125, 1, 4],
];

test("a place in each cell of each matrix is that cell, by row and then by column", () => {
  for (const [name, left, top, width, height, rows, cols] of BOXES) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < cols; j++) {
        for (const at of [0, 0.01, 0.5, 0.99]) {
          const x = left + ((j + at) / cols) * width, y = top + ((i + at) / rows) * height;
          assert.deepEqual(cellIn(BOXES, x, y), [name, i, j]);
        }
      }
    }
  }
});

test("a place beside the matrices, or just where one ends, is no cell", () => {
  for (const [x, y] of [[0, 0], [0.124, 0.3], [0.375, 0.3], [0.2, 0.75], [0.2, 0.249], [0.4, 0.3], [1, 0.3]]) {
    assert.equal(cellIn(BOXES, x, y), null);
  }
  assert.equal(cellIn([], 0.5, 0.5), null);
});

test("a paper is dark if it looks darker than the middle grey, where green counts most", () => {
  for (const light of [[255, 255, 255], [129, 129, 129], [0, 255, 0]]) assert(!isDark(light));
  for (const dark of [[0, 0, 0], [17, 17, 17], [127, 127, 127], [255, 0, 0], [0, 0, 255]]) assert(isDark(dark));
});

test("a key is plain unless Control, Meta, Alt or Shift is held", () => {
  assert(isPlain({ key: "a" }));
  for (const held of ["ctrlKey", "metaKey", "altKey", "shiftKey"]) assert(!isPlain({ key: "a", [held]: true }));
});
