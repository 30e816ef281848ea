// On a narrow screen the notebook has all of it: the file list and the bars at the sides go, and come back from the menu View.

(async () => {
  if (innerWidth >= 700) return;
  while (!window.jupyterapp) await new Promise((done) => setTimeout(done, 50));
  await window.jupyterapp.restored;
  const { shell } = window.jupyterapp;
  shell.mode = "single-document";
  for (const side of ["left", "right"]) if (shell.isSideTabBarVisible(side)) shell.toggleSideTabBarVisibility(side);
  // JupyterLab shows the file list again for the notebook that it has opened, until the reader touches the page.
  const fold = () => {
    if (!shell.leftCollapsed) shell.collapseLeft();
    if (!shell.rightCollapsed) shell.collapseRight();
  };
  shell.layoutModified.connect(fold);
  addEventListener("pointerdown", () => shell.layoutModified.disconnect(fold), { once: true });
  fold();
})();
