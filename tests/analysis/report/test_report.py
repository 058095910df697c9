"""The page without a browser: links, tables, figures, alt texts."""

import json
import re
from html.parser import HTMLParser

import pytest

from rcf_vis.analysis.report.errors import ERROR_KINDS
from rcf_vis.analysis.report.report import write_report
from rcf_vis.evaluation import evaluate_ytvis
from tests.scripts import load_script

from .report_cases import every_kind, write_case


class Page(HTMLParser):
    """Links, pictures, and the figures of each row of each table."""

    def __init__(self, text):
        super().__init__()
        self.links, self.images, self.tables, self.stack = [], [], {}, []
        self.text = text
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ("meta", "link", "img", "source"):
            self.stack.append(tag)
        self.links += [attrs[key] for key in ("src", "srcset", "href") if key in attrs]
        if tag == "img":
            self.images.append(attrs)
        elif tag == "table":
            self.rows = self.tables[attrs["id"]] = []
        elif tag == "tr":
            self.rows.append([])
        elif tag == "data" and "tr" in self.stack:
            self.rows[-1].append(float(attrs["value"]))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag  # well-formed

    def handle_data(self, data):
        if self.stack and self.stack[-1] in ("th", "td") and data.strip():
            self.rows[-1].append(data.strip())


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("case")
    gt, results, _ = every_kind()
    gt["categories"] = [dict(c) for c in gt["categories"]]
    gt["categories"][0]["name"] = "cat <b> & $x$"
    write_case(folder, gt, results)
    load_script("tools/report.py").main(
        ["--gt", str(folder / "gt.json"), "--results", str(folder / "results.json")]
        + ["--images", str(folder / "images"), "--output", str(folder / "report"), "--videos", "1"]
    )
    return folder, gt, results


@pytest.fixture(scope="module")
def page(case):
    return Page((case[0] / "report" / "index.html").read_text(encoding="utf-8"))


def test_links_lead_to_files_of_the_report(case, page):
    links = [link for link in page.links if link != "data:,"]
    assert len(links) == 5 * 2 + 2 * 2
    for link in links:
        assert (case[0] / "report" / link).is_file(), link
    assert not re.search(r"https?:|//", page.text.replace("</", ""))  # needs no network
    for svg in (case[0] / "report" / "files").glob("*.svg"):
        content = svg.read_text()
        assert not re.search(r'href="(?!#)', content)


def test_images_have_alt_texts(page):
    assert len(page.images) == 5 + 2
    assert all(len(image["alt"]) > 20 for image in page.images)
    assert page.images[-2]["alt"].startswith("Video 2: ground truth above")


def test_figures_are_the_evaluators(case, page):
    _, gt, results = case
    figures = evaluate_ytvis(gt, results)
    names, values = page.tables["figures"]
    assert dict(zip(names, values, strict=False)) == {
        name: value for name, value in figures.items() if name != "per_category"
    }
    assert f"<strong>{100 * figures['AP']:.1f}</strong>" in page.text
    rows = page.tables["categories"][1:]
    assert {row[0]: row[1] for row in rows} == figures["per_category"]
    assert [row[-3:] for row in rows] == [["4", "1", "3"], ["2", "1", "7"], ["0", "0", "1"]]


def test_errors_are_there(page):
    rows = {row[0]: row[1] for row in page.tables["errors"][1:]}
    assert list(rows)[:6] == list(ERROR_KINDS)
    assert rows["classification"] == "2" and rows["missed"] == "2"


def test_text_is_escaped(page):
    assert "cat &lt;b&gt; &amp; $x$" in page.text
    assert "<b>" not in page.text


def test_without_images_and_without_objects(tmp_path):
    gt, results, _ = every_kind()
    write_case(tmp_path, dict(gt, annotations=[]), results)
    path = write_report(tmp_path / "gt.json", tmp_path / "results.json", tmp_path / "report")
    page = Page(path.read_text(encoding="utf-8"))
    assert 'id="no-strips"' in page.text
    assert len(page.images) == 5
    assert not list((tmp_path / "report").rglob("*.webp"))
    assert "<strong>–</strong>" in page.text
    assert {value for value in page.tables["figures"][1]} == {-1.0}


def test_missing_images_are_named_and_no_page_is_written(case, tmp_path):
    folder, gt, _ = case
    with pytest.raises(FileNotFoundError, match=r"video 2, frame .*2/00000.jpg: no such file"):
        write_report(
            folder / "gt.json", folder / "results.json", tmp_path / "report", image_root=tmp_path
        )
    assert not (tmp_path / "report" / "index.html").exists()


def test_broken_results_are_named(case, tmp_path):
    folder, gt, results = case
    (tmp_path / "bad.json").write_text(json.dumps([dict(results[0], video_id=77)]))
    with pytest.raises(ValueError, match="video_id 77"):
        write_report(folder / "gt.json", tmp_path / "bad.json", tmp_path / "report")
