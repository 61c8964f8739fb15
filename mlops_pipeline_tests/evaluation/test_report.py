import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from mlops_pipeline.evaluation.figures import figures
from mlops_pipeline.evaluation.gates import judge
from mlops_pipeline.evaluation.records import Change
from mlops_pipeline.evaluation.report import render_html
from mlops_pipeline_tests.evaluation.cases import contract, evaluated, report, rows

ASKED = contract(
    slices=[{"by": "shop", "margin": 0.05, "min_rows": 100, "min_positives": 20}],
    fairness=[{"by": "shop", "metric": "selection_rate", "max_gap": 0.3, "min_rows": 100}],
)


@pytest.fixture(scope="module")
def page() -> str:
    """A page with everything on it."""
    _, truth = rows()
    shops = np.array(["a", "b"], dtype=object)[np.arange(1500) % 2]
    shops[:10] = "c"
    found = evaluated(
        ASKED,
        np.where(shops == "b", 1 - truth, truth),
        np.clip(truth + 0.02, 0, 1),
        cuts={"shop": shops},
        importance={"odds": 0.75, "<b>bold</b>": 0.25},
        changes=(Change("trained on", "January", "January & <i>February</i>"),),
    )
    gate = judge(ASKED, found)
    return render_html(found, gate, figures(found, gate), title="Is it <late>?")


def test_the_verdict_and_its_reasons_come_first(page: str) -> None:
    places = [page.index(text) for text in ("Rejected", "shop = b: log_loss", "<section>")]
    assert places == sorted(places)


def test_the_page_needs_nothing_else(page: str) -> None:
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "<script" not in page


def test_texts_are_escaped(page: str) -> None:
    assert "Is it &lt;late&gt;?" in page
    assert "January &amp; &lt;i&gt;February&lt;/i&gt;" in page


def test_small_slices_are_listed_as_not_evaluated(page: str) -> None:
    assert "Not evaluated, too few rows:" in page
    assert "shop = c (10 rows)" in page


def test_every_tag_that_is_opened_is_closed(page: str) -> None:
    class Stack(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.opened: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "img"):
                self.opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.opened.pop() == tag

    stack = Stack()
    stack.feed(page)
    assert stack.opened == []


def test_a_first_version_says_so_and_compares_nothing() -> None:
    found = report(first=True)
    gate = judge(contract(), found)
    page = render_html(found, gate, figures(found, gate))
    assert "This is the first version: there is no champion to compare with" in page
    assert "What changed" not in page
    assert "May be promoted" in page


def test_a_report_that_could_not_be_measured_still_renders() -> None:
    _, truth = rows()
    found = replace(evaluated(contract(), truth * np.nan, truth), resources=None)
    gate = judge(contract(), found)
    page = render_html(found, gate, figures(found, gate))
    assert "Could not be judged" in page
    assert "undefined" in page


def test_figures_are_pictures_and_equal_for_equal_reports() -> None:
    _, truth = rows()
    found = evaluated(contract(), truth, truth, importance={"odds": 1.0})
    gate = judge(contract(), found)
    drawn = figures(found, gate)
    assert set(drawn) == {"criteria", "reliability", "importance"}
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())
    assert drawn == figures(found, gate)
