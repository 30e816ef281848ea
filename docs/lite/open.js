// The page of the lab alone. Loaded before JupyterLite's console, which runs whatever code its own address asks for.
//
// Here no address does: what stands before the # is thrown away, and what stands after it is handed on as data, in
// hexadecimal digits, to a function that reads it. The console finds this one query, and the reader never sees it.

const LONGEST = 10_000; // the function refuses what is much shorter
const bytes = new TextEncoder().encode(location.hash.slice(1, LONGEST));
const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const code = `from backprop_lab.ui.standalone import opened; opened(bytes.fromhex("${digits}").decode())`;
const query = new URLSearchParams({ kernel: "python", execute: "1", hideCodeInput: "1", showBanner: "0", code });
const address = location.pathname + location.hash;
history.replaceState(null, "", `${location.pathname}?${query}${location.hash}`);

// Once the lab is there, the address is again one that can be copied.
new MutationObserver((_, observer) => {
  if (!document.querySelector(".jp-CodeConsole .jp-OutputArea-output")) return;
  observer.disconnect();
  history.replaceState(null, "", address);
}).observe(document, { childList: true, subtree: true });

// A console goes to its end with whatever is printed; the lab is to be seen from its top until the reader moves it.
const stay = ({ target }) => target.classList?.contains("jp-CodeConsole-content") && (target.scrollTop = 0);
addEventListener("scroll", stay, true);
const letGo = () => removeEventListener("scroll", stay, true);
for (const kind of ["pointerdown", "wheel", "keydown"]) addEventListener(kind, letGo, { once: true, capture: true });

// A console takes Enter, wherever it is pressed, to go to its prompt. That is hidden here, and Enter is for the field or
// the button that has the focus. The console knows the key by its number; everything else knows it by its name.
const hideNumber = (event) => event.key === "Enter" && Object.defineProperty(event, "keyCode", { value: 0 });
addEventListener("keydown", hideNumber, true);

addEventListener("hashchange", () => location.reload());
