// While Python is on its way to the lab alone, a recording stands in its place: it steps, points and explains without it.
// Python comes once the recording's first picture is there, and then the lab wakes at the step that the reader is at.

const STARTS = "STARTS"; // build.py has put in their place which starts have a recording
const named = new URLSearchParams(location.hash.slice(1)), start = named.get("start") ?? "worked example";
const isRecorded = STARTS.includes(start) && [...named.keys()].every((name) => name === "start");
const LATEST = 4000; // ms: without a picture by then, Python comes all the same
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(found, ms = Infinity) {
  for (const end = performance.now() + ms; performance.now() < end; await wait(40)) if (found()) return found();
  return null;
}

// The controls as they will stand there. What is set in one of them early is kept for the lab.
function makeRow() {
  const row = document.createElement("div");
  row.id = "bpl-waiting";
  row.innerHTML = `<label>start <input disabled value="${start}" size="14"></label>
    <label>seed <input name="seed" inputmode="numeric" size="6" placeholder="later"></label>
    <label>learning rate <input name="learning rate" inputmode="decimal" size="8" placeholder="later"></label>
    <span>used once Python is here</span>`;
  return row;
}

function makeFrame() {
  const frame = document.createElement("iframe");
  frame.id = "bpl-recorded";
  frame.title = "The lab, as a recording";
  const room = innerWidth < 600 ? "narrow" : "wide";
  const theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  frame.src = `../recorded/${room}-${theme}/${encodeURIComponent(start)}.html`;
  return frame;
}

const currentOf = (page) => page.querySelector(".bpl-timeline [aria-current]");
const isDrawn = (page) => page?.querySelector(".bpl-map img[src]")?.complete;

// What stands there where there is no recording: what it is, and what is being waited for.
async function say() {
  await until(() => document.body);
  const note = document.createElement("main");
  note.id = "bpl-on-its-way";
  note.innerHTML = `<h1>backprop_lab</h1>
    <p>One training step of a neural network, to step through. The one that this link opens is on its way: it is
    computed in your browser, for which Python comes first, about 17 MB at a first visit.</p>
    <p><a href="../../index.html" target="_top">What is backprop_lab?</a></p>`;
  document.body.prepend(note);
  await until(() => isDrawn(document) || document.querySelector(".bpl-refused"));
  note.remove();
}

// The lab goes to the step of the recording, and takes what was typed; then it stands there instead.
async function wake(row, frame) {
  await until(() => isDrawn(document));
  for (const { name, value } of row.querySelectorAll("input[name]")) {
    const label = [...document.querySelectorAll(".bpl-settings label")].find(({ textContent }) => textContent === name);
    const field = value && label?.parentElement.querySelector("input");
    if (field) Object.assign(field, { value }).dispatchEvent(new Event("change", { bubbles: true }));
  }
  const here = currentOf(frame.contentDocument)?.textContent;
  const button = [...document.querySelectorAll(".bpl-timeline button")].find(({ textContent }) => textContent === here);
  button?.click();
  await until(() => currentOf(document)?.textContent === here, 3000);
  for (const part of [row, frame]) part.remove();
  document.body.classList.remove("bpl-recorded");
}

if (!isRecorded) say();

// The page of JupyterLite waits for this before it fetches anything.
window.recorded = isRecorded && (async () => {
  await until(() => document.body);
  const row = makeRow(), frame = makeFrame();
  document.body.classList.add("bpl-recorded");
  document.body.prepend(row, frame);
  wake(row, frame);
  await until(() => isDrawn(frame.contentDocument), LATEST);
  if (!navigator.connection?.saveData) return;
  const asked = document.createElement("button");
  asked.textContent = "Start Python (24 MB)";
  row.append(asked);
  await new Promise((done) => row.addEventListener("click", done, { once: true }));
  asked.remove();
})();
