import time
import lab_page
def test_a(lab): pass
def test_b(notebook):
    t=[time.time()]
    def tick(w): n=time.time(); print(f"{w}: {n-t[0]:.2f}"); t[0]=n
    o=lab_page.LabPage.open
    def op(self,url):
        tick("before open")
        self.page.goto(url); tick("goto")
        self.page.wait_for_function("window.jupyterapp?.shell.currentWidget"); tick("widget")
        self.page.evaluate(lab_page.READY); tick("ready")
    lab_page.LabPage.open=op
    try:
        l=notebook(run=False)
    finally: lab_page.LabPage.open=o
    l.command("notebook:run-all-cells"); tick("run")
    l.wait_for_picture(); tick("pic")
    l.settle(); tick("settle")
def test_c(notebook, new_page, browser):
    c=browser.new_context(viewport={"width":1280,"height":1000})
    import conftest
    o=conftest.LabPage
    for k in range(3):
        t=time.time()
        pg=c.new_page()
        class LP(o):
            def __init__(self, page, number=0): super().__init__(pg, number)
        conftest.LabPage=LP
        l=notebook(run=False)
        print("open", time.time()-t); t=time.time()
        l.run_all(); print("run", time.time()-t)
        pg.close()
    conftest.LabPage=o
    c.close()
