// A button that asks for a file of the kind that is chosen beside it, and downloads it.

function render({ model, el }) {
  const button = document.createElement("button"), kinds = document.createElement("select");
  button.type = "button";
  button.className = "jupyter-button widget-button lm-Widget";
  button.style.width = "auto";
  button.title = "Save what the lab shows as a file";
  button.textContent = "Save as";
  kinds.ariaLabel = "The kind of file";
  kinds.title = "html steps and points, gif walks through all steps, the others are a picture of this one";
  kinds.append(...model.get("kinds").map((kind) => new Option(kind)));
  let asked = false; // the same button may stand in other places, and one file is enough
  button.onclick = () => {
    asked = button.disabled = true;
    model.send({ kind: kinds.value });
  };
  const answered = ({ name }, [data]) => {
    if (asked && name) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([data]));
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    }
    asked = button.disabled = false;
  };
  model.on("msg:custom", answered);
  el.append(button, kinds);
  return () => model.off("msg:custom", answered);
}

export default { render };
