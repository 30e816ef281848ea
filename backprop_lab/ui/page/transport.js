// What goes through the steps: the buttons, and the timeline of one iteration.

import { labelled, make } from "./elements.js";

const FADES = 36; // pixels at the end of a timeline that goes on, as in board.css

// What can be done to the steps: the message, its name, the word on its button, its drawing in a square of 16, a tip.
const ACTIONS = [
  ["restart", "Restart", "Restart", "M3 3v4h4M3.4 7A5 5 0 1 1 3 9.5", "Back to the start, with the original numbers"],
  ["back", "Back", "Back", "M10 3 5 8l5 5", "One step back (left arrow on the board)"],
  ["next", "Next", "Next", "M6 3l5 5-5 5", "One step forward (right arrow on the board)"],
  ["next_phase", "Next phase", "Phase", "M3 3l5 5-5 5M9 3l5 5-5 5", "Forward to the end of this phase"],
  ["next_iteration", "Next iteration", "Iteration", "M3 8a5 5 0 0 1 9-3V2m0 3H9M13 8a5 5 0 0 1-9 3v3m0-3h3",
    "The same step in the next iteration"],
  ["play", "Play", "Play", "M5 3v10l8-5z", "Step automatically until pressed again"],
];

function makeAction(parent, [what, name, word, path, why], tell) {
  const button = make("button", `bpl-button bpl-do-${what}`, parent);
  button.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${path}"/></svg>`;
  if (word !== name) make("span", "bpl-long", button, name);
  make("span", word !== name ? "bpl-short" : "", button, word);
  button.setAttribute("aria-label", name);
  button.title = why;
  button.onclick = () => tell({ kind: "do", what });
  return button;
}

export function makeTransport(board, { tell }) {
  const transport = make("div", "bpl-transport", board);
  const play = ACTIONS.map((action) => makeAction(transport, action, tell)).at(-1);
  const speed = make("select", "bpl-button", transport);
  speed.setAttribute("aria-label", "speed");
  speed.title = "Playback speed";
  speed.onchange = () => tell({ kind: "speed", speed: speed.value });
  const badge = make("span", "bpl-badge", transport);
  const where = make("span", "bpl-where", transport);
  const iteration = make("span", "bpl-iteration", where), loss = make("span", "bpl-loss-now bpl-loss", where);

  function arrange({ speeds = [], hidden = [] }) {
    for (const part of [play, speed]) part.hidden = hidden.includes("play");
    speed.replaceChildren(...speeds.map((name) => make("option", "", null, name)));
  }

  function show(now) {
    play.classList.toggle("bpl-playing", Boolean(now.playing));
    play.lastChild.textContent = now.playing ? "Pause" : "Play";
    play.setAttribute("aria-label", play.lastChild.textContent);
    play.querySelector("path").setAttribute("d", now.playing ? "M4 3h3v10H4zM9 3h3v10H9z" : ACTIONS.at(-1)[3]);
    speed.value = now.speed ?? "";
    badge.textContent = now.badge ? `✗ ${now.badge}` : "";
    badge.title = now.badge ? `Planted: ${now.badge}` : "";
    iteration.textContent = `iteration ${now.iteration}`;
    loss.textContent = now.loss ? `loss ${now.loss}` : "";
  }

  return { arrange, show };
}

// A button for each step, in groups of one phase.
function makeStops(timeline, steps, tell) {
  let group = null;
  return steps.map(([name, phase], position) => {
    if (!group?.classList.contains(`bpl-${phase}`)) {
      group = make("div", `bpl-phase bpl-${phase}`, timeline);
      make("span", "", group, phase);
    }
    const stop = make("button", "", group, name);
    stop.onclick = () => tell({ kind: "jump", index: position + 1 });
    return stop;
  });
}

export function makeTimeline(board, { tell }) {
  const timeline = labelled("Steps of this iteration", make("div", "bpl-timeline", board));
  let stops = [];

  function arrange({ steps = [] }) {
    timeline.replaceChildren();
    stops = makeStops(timeline, steps, tell);
  }

  function show({ index, wrong }) {
    stops.forEach((stop, position) => {
      const isWrong = wrong.includes(stop.textContent), isCurrent = position === index - 1;
      stop.classList.toggle("bpl-shown", position < index);
      stop.classList.toggle("bpl-failed", isWrong);
      stop.title = isWrong ? `Go to ${stop.textContent}, which is wrong` : `Go to ${stop.textContent}`;
      if (isCurrent) stop.setAttribute("aria-current", "step");
      else stop.removeAttribute("aria-current");
    });
  }

  // Where there is no room for the whole timeline, it follows the current step, and before the first is at its start.
  function keepInSight({ index }) {
    const row = timeline.getBoundingClientRect(), stop = stops[index - 1];
    if (stop) {
      const { left, right } = stop.getBoundingClientRect();
      const name = stop.parentElement.firstChild.getBoundingClientRect(); // which stays, above the steps
      const end = stop === stops.at(-1) ? row.right : row.right - FADES;
      if (left < name.right || right > end) timeline.scrollLeft += (left + right - row.left - row.right) / 2;
    } else timeline.scrollLeft = 0;
    showEnd();
  }

  // The end of the timeline fades where it goes on.
  function showEnd() {
    timeline.classList.toggle("bpl-goes-on", timeline.scrollLeft + timeline.clientWidth < timeline.scrollWidth - 1);
  }
  timeline.addEventListener("scroll", showEnd);

  return { arrange, show, keepInSight };
}
