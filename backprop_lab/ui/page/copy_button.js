// A button that copies its text, also on pages to which the browser denies the clipboard.

async function copy(text, near) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    near.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    if (!copied) throw new Error("the browser refused");
  }
}

function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "jupyter-button widget-button lm-Widget";
  button.style.width = "auto";
  button.title = "Copy the text beside this button to the clipboard";
  const name = () => (button.textContent = model.get("label"));
  button.onclick = async () => {
    if (!model.get("text")) return model.send({});
    try {
      await copy(model.get("text"), el);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select the text and copy it";
    }
    setTimeout(name, 1500);
  };
  name();
  el.append(button);
}

export default { render };
