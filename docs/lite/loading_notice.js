// Tells, at the foot of the page, what the learner waits for; start_pyodide.js reports it from the kernel's worker.
// JupyterLab itself calls a kernel idle that has not started yet.

const notice = document.createElement("div");
notice.id = "loading-notice";
notice.setAttribute("role", "status");
notice.style.cssText = `position: fixed; bottom: 40px; left: 50%; transform: translateX(-50%); z-index: 10000;
  padding: 8px 16px; border-radius: 4px; font: 14px system-ui, sans-serif; color: #fff; background: #333;`;
notice.hidden = true;

function show(state, text) {
  notice.dataset.state = state;
  notice.textContent = text;
  notice.hidden = false;
  if (state === "ready") setTimeout(() => (notice.hidden ||= notice.dataset.state === "ready"), 4000);
}

const waiting = document.body.dataset.notebook === "lab" ? ". You may read on; a cell that you run will wait." : "";
document.body.append(notice);
show("loading", "Loading the page");

new BroadcastChannel("backprop_lab start").onmessage = ({ data: { state, text } }) => {
  if (document.hidden) return; // another tab of this site is starting
  show(state, state === "loading" ? text + waiting : text);
};
