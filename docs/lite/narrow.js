// On a narrow screen the notebook has all of it: the file list and the bars at the sides go, and come back from the menu View.

(async () => {
  if (innerWidth >= 700) return;
  while (!window.jupyterapp) await new Promise((done) => setTimeout(done, 50));
  await window.jupyterapp.restored;
  const { commands, shell } = window.jupyterapp;
  shell.mode = "single-document";
  for (const side of ["left", "right"]) if (shell.isSideTabBarVisible(side)) shell.toggleSideTabBarVisibility(side);
  // JupyterLab shows the file list again for each notebook that it opens. Who asks for it in the menu keeps it.
  const fold = () => {
    if (!shell.leftCollapsed) shell.collapseLeft();
    if (!shell.rightCollapsed) shell.collapseRight();
  };
  shell.layoutModified.connect(fold);
  commands.commandExecuted.connect((_, { id }) => {
    if (/:toggle-(main|left-area|right-area|sidebar-widget)$/.test(id)) shell.layoutModified.disconnect(fold);
  });
  fold();
})();
