// Plays a recording to the step view, in the place of a kernel: what it would say at each step, and of each cell.

// Where something done to the view leads, from a place {iteration, index, cell, pinned}: by the rules of stepper.py.
export function moved(recording, place, message) {
  const { layout: { steps }, iterations, names } = recording, { iteration, index, cell, pinned } = place;
  const last = steps.length;
  function to(k, at) {
    if (k < 0) return place;
    if (k >= iterations.length) return { ...place, ended: true };
    return { iteration: k, index: at, ...(pinned && at === index ? { cell, pinned } : { cell: null, pinned: false }) };
  }
  function choose(wanted, pins) {
    const [name, i, j] = wanted ?? [], shown = recording.layout.since[name] <= index;
    const found = shown && iterations[iteration].cells[name]?.[i]?.[j] ? [name, i, j] : null;
    return { iteration, index, cell: found, pinned: Boolean(found && pins) };
  }
  function walk(down, right) {
    const [name, i, j] = cell, cells = iterations[iteration].cells[name];
    const within = (n, most) => Math.min(Math.max(n, 0), most - 1);
    return choose([name, within(i + down, cells.length), within(j + right, cells[0].length)], true);
  }
  function chooseMatrix(way) {
    const shown = names.filter((name) => recording.layout.since[name] <= index);
    const at = shown.indexOf(cell ? cell[0] : steps[index - 1]?.[0]);
    return choose([shown[at < 0 ? 0 : (at + way + shown.length) % shown.length], 0, 0], false);
  }
  function phase() {
    const ends = steps.map(([, name]) => name).lastIndexOf(steps[index]?.[1]) + 1;
    return index === last ? moves.next() : to(iteration, ends);
  }
  const moves = {
    next: () => (index < last ? to(iteration, index + 1) : to(iteration + 1, 0)),
    back: () => (index ? to(iteration, index - 1) : to(iteration - 1, last)),
    next_phase: phase,
    next_iteration: () => to(iteration + 1, index),
    restart: () => ({ iteration: 0, index: 0, cell: null, pinned: false }),
  };
  const keys = {
    ArrowRight: () => (pinned ? walk(0, 1) : moves.next()),
    ArrowLeft: () => (pinned ? walk(0, -1) : moves.back()),
    ArrowDown: () => (pinned ? walk(1, 0) : chooseMatrix(1)),
    ArrowUp: () => (pinned ? walk(-1, 0) : chooseMatrix(-1)),
    Home: () => to(iteration, 0),
    End: () => to(iteration, last),
    Enter: () => choose(cell ?? [index ? steps[index - 1][0] : names[0], 0, 0], !pinned),
    Escape: () => choose(null, false),
  };
  if (message.kind === "do") return moves[message.what]?.() ?? place;
  if (message.kind === "key") return keys[message.key]?.() ?? place;
  if (message.kind === "jump") return to(iteration, message.index);
  if (message.kind === "cell") return choose(message.cell, message.pinned);
  return place;
}

// What the view asks its model for, at a place: all but the pictures.
export function told(recording, { iteration, index, cell, pinned, ended }) {
  const { cells, steps } = recording.iterations[iteration], { state, alt, note } = steps[index];
  const [sum, sources] = cell ? cells[cell[0]][cell[1]][cell[2]] : [null, []];
  const end = { kind: "note", text: "This recording ends here. Restart goes back to its beginning." };
  return { state: { ...state, cell, pinned, sum, sources }, alt, note: ended ? end : note };
}

const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

// The board at a step: with what is given alone, and over it, of the complete one, what there is by then. The two that
// were decoded last are kept.
export function makeBoards(recording) {
  let last = null, kept = null;
  return async ({ boards, boxes, curve }, iteration, index, theme) => {
    const { since } = recording.layout, both = boards[iteration][theme];
    if (both !== last) kept = Promise.all(both.map((each) => createImageBitmap(new Blob([bytes(each)]))));
    last = both;
    const [bare, whole] = await kept, { width, height } = whole, canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const paper = canvas.getContext("2d"), there = boxes.filter(([name]) => since[name] <= index);
    paper.drawImage(bare, 0, 0);
    if (since[recording.loss] <= index) there.push(["", ...curve]);
    for (const [, left, top, across, down] of there) {
      const [x, y] = [Math.max(0, Math.floor(left * width) - 1), Math.max(0, Math.floor(top * height) - 1)];
      const [w, h] = [Math.ceil(across * width) + 4, Math.ceil(down * height) + 4]; // its lines included
      if (across) paper.drawImage(whole, x, y, w, h, x, y, w, h);
    }
    return canvas.toDataURL(); // a blob would be made only once the browser has nothing else to do
  };
}

// A model for `render` of step_view.js. `fit` is called with the widths at which the pictures fill the room for them.
export function playback(recording, fit) {
  const listeners = {}, { speeds } = recording;
  const { iteration, index, cell } = recording;
  let place = { iteration, index, cell, pinned: Boolean(cell) };
  const boardOf = makeBoards(recording);
  let page = null, drawn = "", timer = 0, asked = 0;
  let controls = { playing: false, speed: Object.keys(speeds)[0], heard: "", operation: [] };
  const traits = {
    layout_of_steps: recording.layout, label: recording.label, boxes: [], picture: null, operation: null,
    tooltips: {}, aspect: 2, frame: 0,
  };

  async function show() {
    const mine = (asked += 1), changes = told(recording, place), { iteration, index } = place;
    if (page) {
      const { wide, narrow } = recording.pictures; // or one of them, as on the site
      const pictures = (page.width < 600 ? narrow : wide) ?? wide ?? narrow;
      const step = pictures.steps[iteration][index];
      const now = JSON.stringify([page.width < 600, page.dark, iteration, index]);
      fit(Object.fromEntries(["map", "operation"].map((name) => {
        const [[width, height], [across, down]] = [pictures[name], page[name]];
        const scrolls = width > 500 && page.width < 500; // as a phone lets a wide board
        return [name, Math.floor(width * (scrolls ? down / height : Math.min(across / width, down / height)))];
      })));
      if (now !== drawn) {
        const theme = page.dark ? "dark" : "light";
        const shown = step[theme] ? theme : page.dark ? "light" : "dark";
        const picture = await boardOf(pictures, iteration, index, shown);
        if (mine !== asked) return; // something else is to be shown by now
        Object.assign(changes, { picture, operation: bytes(step[shown]), boxes: pictures.boxes });
        controls.operation = step.boxes;
        drawn = now;
      }
    }
    changes.state = { ...changes.state, ...controls };
    Object.assign(traits, changes);
    for (const name of Object.keys(changes)) for (const listener of listeners[`change:${name}`] ?? []) listener();
  }

  function play(on) {
    clearTimeout(timer);
    controls.playing = on;
    if (on) timer = setTimeout(tick, 1000 * speeds[controls.speed][1]);
  }

  function tick() {
    place = moved(recording, place, { kind: "do", what: speeds[controls.speed][0] });
    play(!place.ended);
    show();
  }

  function send(message) {
    if (message.kind === "shown" || message.kind === "gone") return;
    if (message.kind === "page") page = message;
    if (message.kind === "speed") controls.speed = message.speed;
    if (message.kind === "cell") controls.heard = message.name;
    if (message.what === "play") play(!controls.playing);
    else if (message.what === "restart") play(false);
    place = moved(recording, { ...place, ended: false }, message);
    show();
  }

  Object.assign(traits, told(recording, place));
  traits.state = { ...traits.state, ...controls };
  return {
    get: (name) => traits[name],
    on: (event, listener) => (listeners[event] ??= []).push(listener),
    off: (event, listener) => (listeners[event] = (listeners[event] ?? []).filter((one) => one !== listener)),
    send,
    place: () => place,
  };
}

// The tables of all values that are shown now, for screen readers.
export function tables(recording, { iteration, index }) {
  const { values } = recording.iterations[iteration];
  const shown = Object.entries(values).filter(([name]) => recording.layout.since[name] <= index);
  return shown.map(([, table]) => table).join("");
}
