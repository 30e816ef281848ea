// Enter in a field counts as it does elsewhere. JupyterLab 4.4, which JupyterLite 0.6 is made of, keeps it from a field in a
// cell (`evtKeydown` in its application.ts), and what was typed would be taken only once the field is left.

addEventListener(
  "beforeinput",
  (event) => {
    if (event.inputType === "insertLineBreak" && event.target.matches("input")) event.stopImmediatePropagation();
  },
  true,
);
