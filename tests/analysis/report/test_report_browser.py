"""The page in a real headless browser, at the width of a phone and of a laptop."""

import pytest

from rcf_vis.analysis.report.report import write_report

from .browser import BROWSERS, Browser, find_browser
from .report_cases import every_kind, write_case

pytestmark = pytest.mark.skipif(
    find_browser() is None,
    reason=f"no browser in PATH ({', '.join(BROWSERS)}); Debian's package is chromium",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("case")
    gt, results, _ = every_kind()
    gt["categories"] = [dict(c, name=f"{c['name']} with a long name") for c in gt["categories"]]
    write_case(folder, gt, results)
    images = folder / "images"
    page = write_report(
        folder / "gt.json", folder / "results.json", folder / "report", image_root=images
    )
    return page.as_uri()


@pytest.mark.parametrize("width, dark", [(390, True), (1366, False)])
def test_page_in_a_browser(url, tmp_path, width, dark):
    with Browser(find_browser(), tmp_path) as browser:
        browser.open(url, width=width, dark=dark)
        assert browser.faults == []
        assert browser.ask("innerWidth") == width
        assert browser.ask("document.documentElement.scrollWidth") <= width
        images = browser.ask(
            "[...document.images].map(i => [i.currentSrc.split('/').pop(), i.naturalWidth])"
        )
        assert len(images) == 5 + 3
        assert all(pixels > 0 for _, pixels in images)
        theme = "dark" if dark else "light"
        assert {name for name, _ in images if name.endswith("svg")} == {
            f"{plot}-{theme}.svg"
            for plot in ("precision", "sizes", "scores", "categories", "errors")
        }
        rows = browser.ask(
            "[...document.querySelectorAll('table')].map(t => [t.id, t.rows.length])"
        )
        assert rows == [["figures", 2], ["categories", 4], ["errors", 9]]
        boxes = browser.ask("""[...document.querySelectorAll('.scroll')].map(box =>
            [box.scrollWidth - box.clientWidth, box.getBoundingClientRect().right])""")
        assert all(right <= width for _, right in boxes)
        if width == 390:  # a wide table scrolls inside its box
            assert boxes[0][0] > 0
            assert (
                browser.ask("""(() => { const box = document.querySelector('.scroll');
                box.scrollLeft = 50; return box.scrollLeft; })()""")
                == 50
            )
        background = browser.ask("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(13, 17, 23)" if dark else "rgb(246, 248, 250)")


def test_faults_are_noticed(tmp_path):
    (tmp_path / "bad.html").write_text("<img src=gone.png alt=''><script>nothing.at.all</script>")
    with Browser(find_browser(), tmp_path / "profile") as browser:
        browser.open((tmp_path / "bad.html").as_uri(), width=390)
        assert len(browser.faults) >= 2
