"""The parts of an HTML page: nothing from outside, nothing that runs but its own script."""

from __future__ import annotations

import base64
import hashlib
import re

from autodl.drawing.run_curves import Dots, draw_rewards
from autodl.reports.html_page import captioned, facts, page, plot, section, table


def test_the_policy_allows_the_pages_own_script_alone():
    html = page("a<b", "<p>body</p>")
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src" in html
    assert f"'sha256-{digest}'" in html
    assert "<title>a&lt;b</title>" in html


def test_a_table_escapes_and_sets_numbers_to_the_right():
    html = table(["rank", "trial", "reason"], [[1, "1,234", "<script>"]], words=1)
    cells = re.findall(r"<td.*?</td>", html)
    assert cells == [
        '<td class="n">1</td>', '<td class="n">1,234</td>', "<td>&lt;script&gt;</td>",
    ]  # fmt: skip
    assert html.count("<button>") == 3


def test_facts_without_a_text_are_left_out():
    assert facts([("a<", "b<"), ("c", "")]) == "<dl><dt>a&lt;</dt><dd>b&lt;</dd></dl>"
    assert section("title", "") == ""


def test_captions_break_at_commas():
    html = captioned("<b></b>", "trial 3, 1.5 k parameters")
    assert html.endswith("<figcaption>trial\xa03, 1.5\xa0k\xa0parameters</figcaption></figure>")


def test_a_plot_in_the_page_names_no_address_and_keeps_what_its_parts_refer_to():
    figure = draw_rewards(Dots([0, 1], [0.25, 0.5], ["trial 0", "<b>"]), Dots(), [])
    html = plot(figure, 'rewards "by" trial')
    assert html.startswith("<svg style=")
    assert 'aria-label="rewards &quot;by&quot; trial"' in html
    assert "://" not in html
    assert "<title>trial 0</title>" in html
    assert "&lt;b&gt;" in html
    names = set(re.findall(r' id="([^"]*)"', html))
    wanted = set(re.findall(r'(?:href="|url\()#([\w.]+)', html))
    assert wanted == names
    assert names
