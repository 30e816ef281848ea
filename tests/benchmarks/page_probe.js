// Loaded into the page before anything else: presses keys on sliders, drags them, and tells when a new picture is shown.

const wire = { received: 0, messages: 0 };

window.WebSocket = class extends window.WebSocket {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => {
      wire.received += data.byteLength ?? data.size ?? data.length;
      wire.messages += 1;
    });
  }
};

// Calls `told` for every new picture below `root`, be it in an img or on a canvas, until the function returned is called.
const canvasWatchers = new Set();
const { drawImage } = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.drawImage = function (...given) {
  drawImage.apply(this, given);
  for (const watcher of canvasWatchers) watcher(this.canvas);
};

function watchPictures(root, told) {
  const canvasDrawn = (canvas) => root.contains(canvas) && told();
  canvasWatchers.add(canvasDrawn);
  root.addEventListener("load", told, true);
  return () => {
    canvasWatchers.delete(canvasDrawn);
    root.removeEventListener("load", told, true);
  };
}

const nextFrame = () => new Promise(requestAnimationFrame);
const pause = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));

// A cell and the handle of one of its sliders, scrolled into view and at rest.
async function handleOf(cell, number) {
  const root = document.querySelectorAll(".jp-Notebook .jp-Cell")[cell];
  const top = () => root.getBoundingClientRect().top;
  const before = top();
  root.querySelector(".jp-Cell-outputWrapper").scrollIntoView({ block: "center" });
  if (top() !== before) await pause(400);
  return [root, root.querySelectorAll(".noUi-handle")[number]];
}

const presses = new WeakMap();
const TURN = 38;

// The arrow that moves on: so many steps to the right, then as many back.
function arrowFor(handle) {
  const count = presses.get(handle) ?? 0;
  presses.set(handle, count + 1);
  return Math.floor(count / TURN) % 2 ? "ArrowLeft" : "ArrowRight";
}

window.probe = {
  // Presses a key on a slider's handle; milliseconds until the new picture has `loaded` and until the frame that shows
  // it, and what came over the wire until `rest` milliseconds later.
  async press(cell, number, rest) {
    const [root, handle] = await handleOf(cell, number);
    await pause(rest + Math.random() * 17); // a person does not press in step with the screen
    Object.assign(wire, { received: 0, messages: 0 });
    const start = performance.now();
    const loaded = new Promise((seen, failed) => {
      const stop = watchPictures(root, () => seen(performance.now() - start, stop()));
      setTimeout(() => failed(new Error("no new picture within 10 s"), stop()), 10_000);
    });
    handle.dispatchEvent(new KeyboardEvent("keydown", { key: arrowFor(handle), bubbles: true, cancelable: true }));
    const times = { loaded: await loaded };
    await nextFrame();
    times.shown = performance.now() - start;
    await pause(rest);
    return { ...times, ...wire };
  },

  // Moves the pointer to one cell of the map after another: milliseconds until the frame that shows them framed, which
  // must be there when the event has been handled, and what came over the wire for it.
  async point(cell, times) {
    const root = document.querySelectorAll(".jp-Notebook .jp-Cell")[cell];
    root.querySelector(".jp-Cell-outputWrapper").scrollIntoView({ block: "start" });
    await pause(1000);
    const image = root.querySelector(".bpl-picture img"), { left, top, width, height } = image.getBoundingClientRect();
    const frames = root.querySelector(".bpl-picture .bpl-frames"), found = [];
    for (let across = 0; found.length < times; across = (across + 0.0137) % 1) {
      await pause(10 + Math.random() * 17);
      const before = frames.innerHTML, at = { clientX: left + across * width, clientY: top + 0.06 * height };
      const start = performance.now();
      image.dispatchEvent(new PointerEvent("pointermove", { ...at, pointerType: "mouse", bubbles: true }));
      const framed = frames.innerHTML !== before;
      await nextFrame();
      if (framed) found.push(performance.now() - start);
    }
    return found;
  },

  // Drags a slider's handle back and forth for some seconds, moving at every frame: how many pictures and how many
  // frames there were in a second.
  async drag(cell, number, seconds) {
    const [root, handle] = await handleOf(cell, number);
    const track = handle.closest(".noUi-target").getBoundingClientRect();
    const grip = handle.getBoundingClientRect();
    const mouse = (x) => {
      const place = { clientX: x, clientY: track.top + track.height / 2 };
      return { ...place, buttons: 1, bubbles: true, cancelable: true, view: window };
    };
    let pictures = 0;
    const stop = watchPictures(root, () => (pictures += 1));
    const start = performance.now();
    handle.firstElementChild.dispatchEvent(new MouseEvent("mousedown", mouse(grip.left + grip.width / 2)));
    let passed = 0;
    let frames = 0;
    while (passed < seconds) {
      const phase = (passed / 1.5) % 2; // once along the slider in 1.5 s
      const x = track.left + track.width * (phase < 1 ? phase : 2 - phase);
      document.documentElement.dispatchEvent(new MouseEvent("mousemove", mouse(x)));
      await nextFrame();
      frames += 1;
      passed = (performance.now() - start) / 1000;
    }
    stop();
    document.documentElement.dispatchEvent(new MouseEvent("mouseup", mouse(track.left)));
    await pause(1500);
    return { pictures: pictures / passed, frames: frames / passed };
  },
};
