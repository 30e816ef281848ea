// Elements of the page: makers of one, of a button that copies, of a field.

export function make(tag, className, parent, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (tag === "button") element.type = "button";
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

// An element with a name, and the role in which a screen reader says it.
export function labelled(name, element, role = "group") {
  element.setAttribute("role", role);
  element.setAttribute("aria-label", name);
  return element;
}

// To the clipboard, also on pages to which the browser denies it.
async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = make("textarea", "", near);
    area.value = text;
    area.style.cssText = "position: fixed; opacity: 0";
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("the browser refused");
  }
}

// A button that copies a text, if there is one, and confirms it.
export function makeCopy(parent, word, text) {
  const button = make("button", "bpl-button", parent, word);
  button.onclick = async () => {
    const now = text();
    if (!now) return;
    try {
      await copy(now, parent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the text and copy it";
    }
    setTimeout(() => (button.textContent = word), 1500);
  };
}

// A label with a field that reports what was typed when Enter is pressed, and is empty again.
export function makeField(parent, text, title, report) {
  const label = make("label", "bpl-field", parent, text);
  const field = make("input", "", label);
  field.title = title;
  field.autocomplete = "off";
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !field.value) return;
    report(field.value);
    field.value = "";
  });
  return field;
}

// What scrolls can be reached by keyboard.
export function letScroll(element) {
  if (element.scrollHeight > element.clientHeight + 1) element.tabIndex = 0;
  else element.removeAttribute("tabindex");
}
