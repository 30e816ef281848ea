// A picture of matrices with frames over it, and which cell of it is pointed at.

import { cellIn, nameAt, placeIn } from "./arithmetic.js";
import { make } from "./elements.js";

const NAME = 18; // CSS pixels above a matrix, where its name is

function makeFrame(box, frame) {
  const place = placeIn(box, frame);
  if (!place) return [];
  const mark = make("div", `bpl-frame bpl-${frame[5]}`);
  ["left", "top", "width", "height"].forEach((side, k) => mark.style.setProperty(`--${side}`, `${100 * place[k]}%`));
  return [mark];
}

function makeCross([, left, top, width]) {
  const cross = make("div", "bpl-cross", null, "✗");
  cross.style.left = `${100 * (left + width)}%`;
  cross.style.top = `${100 * top}%`;
  return cross;
}

// An address that has the picture in it. That of a blob takes a browser 4 ms longer to load, and has to be revoked.
function addressOf(bytes) {
  const all = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength), parts = [];
  for (let at = 0; at < all.length; at += 8192) parts.push(String.fromCharCode(...all.subarray(at, at + 8192)));
  return `data:image/${all[0] === 0x89 ? "png" : "webp"};base64,${btoa(parts.join(""))}`;
}

export function makePicture(parent, className) {
  const figure = make("div", className, parent);
  const image = make("img", "", figure);
  image.decoding = "sync";
  const frames = make("div", "bpl-frames", figure);
  let shown;
  return {
    figure,
    image,
    boxes: [],
    // Whether there is a new picture, as bytes or as an address with it in it, which will be there as soon as the browser
    // has decoded it.
    show(picture) {
      if (picture === shown) return false;
      shown = picture;
      image.hidden = !(picture?.byteLength || picture?.length);
      if (image.hidden) return false;
      image.src = typeof picture === "string" ? picture : addressOf(picture);
      return true;
    },
    // A picture drawn for n device pixels is shown on exactly n of them.
    fit() {
      image.style.width = `${image.naturalWidth / window.devicePixelRatio}px`;
    },
    // Where it is wider than its room, as on a phone, it scrolls to a matrix, and to as many `others` as find room; for
    // none, to where it begins.
    keepInSight(name, others) {
      const room = figure.parentElement, box = this.boxes.find(([each]) => each === name);
      if (!name) room.scrollLeft = 0;
      if (!box || room.scrollWidth <= room.clientWidth) return;
      let [left, right] = [box[1], box[1] + box[3]];
      for (const [each, x, , width] of this.boxes.filter(([each]) => others.includes(each))) {
        const [from, to] = [Math.min(left, x), Math.max(right, x + width)];
        if ((to - from) * image.clientWidth <= room.clientWidth - 8) [left, right] = [from, to];
      }
      room.scrollTo({ left: ((left + right) / 2) * image.clientWidth - room.clientWidth / 2 });
    },
    frame(wanted, wrong) {
      const framed = this.boxes.flatMap((box) =>
        wanted.filter(([name]) => name === box[0]).flatMap((frame) => makeFrame(box, frame)));
      const crossed = this.boxes.filter(([name]) => wrong.includes(name)).map(makeCross);
      frames.replaceChildren(...framed, ...crossed);
    },
    placeOf(event) {
      const { left, top, width, height } = image.getBoundingClientRect();
      return [(event.clientX - left) / width, (event.clientY - top) / height, height];
    },
    cellAt(event) {
      const [x, y] = this.placeOf(event);
      return cellIn(this.boxes, x, y);
    },
    nameAt(event) {
      const [x, y, height] = this.placeOf(event);
      return nameAt(this.boxes, x, y, NAME / height);
    },
  };
}
