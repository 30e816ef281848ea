import pytest
def shot(lab, name):
    lab.settle(); lab.page.wait_for_timeout(700); lab.page.screenshot(path=f"/tmp/bshots/{name}.png")
@pytest.mark.parametrize("w,h", [(1280,800),(1920,1080),(800,900),(1024,768)])
@pytest.mark.parametrize("theme", ["light","dark"])
def test_shots(notebook,w,h,theme):
    if theme=="dark" and w in (1024,): pytest.skip()
    lab = notebook(viewport={"width":w,"height":h}, color_scheme=theme)
    shot(lab, f"{w}_{theme}_0start")
    lab.step_button("dW1").click()
    shot(lab, f"{w}_{theme}_1dW1")
    lab.press("More"); lab.press("Values as a table","As NumPy")
    lab.root.get_by_label("planted mistake").select_option(index=1)
    lab.step_button("dY1").click()
    shot(lab, f"{w}_{theme}_2more")
    lab.page.mouse.wheel(0, 3000); shot(lab, f"{w}_{theme}_3end")
