"""Contact sheets: every picture where it belongs, its words broken and escaped."""

import re
from xml.etree import ElementTree

from datainf.reports.contact_sheet import Shown, Strip, contact_sheet


def test_pictures_stand_in_lines_with_their_words_under_them() -> None:
    svg = contact_sheet(
        [
            Strip("before", [Shown("AAAA", "a <b> on blue"), Shown("BBBB", "short")]),
            Strip("after", [Shown("CCCC", "a very long caption of words", frame=True)]),
        ],
        "Drawn & shown",
    )
    ElementTree.fromstring(svg)
    assert re.findall(r"base64,(\w+)", svg) == ["AAAA", "BBBB", "CCCC"]
    assert "a &lt;b&gt; on blue" in svg
    assert ">a very long<" in svg
    assert ">caption of words<" in svg
    assert svg.count('class="frame"') == 1
    tops = re.findall(r'<image x="(\d+)" y="(\d+)"', svg)
    assert tops[0][1] == tops[1][1] != tops[2][1]
    assert tops[0][0] == tops[2][0] != tops[1][0]
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_a_sheet_without_pictures_is_an_empty_card() -> None:
    ElementTree.fromstring(contact_sheet([], "none"))


def test_a_note_is_bold_a_strip_may_start_later_and_all_have_an_edge() -> None:
    first = Shown("AAAA", "a query", frame=True)
    strips = [
        Strip("for", [first, Shown("BBBB", "one", note="−12")]),
        Strip("against", [Shown("CCCC", "two", note="+3")], start=1),
    ]
    svg = contact_sheet(strips, "t")
    places = re.findall(r'<image x="(\d+)"', svg)
    assert places[1] == places[2] != places[0]
    assert re.findall(r'class="note"[^>]*>([^<]+)<', svg) == ["−12", "+3"]
    assert svg.count('class="edge"') == 2
    width = re.search(r'width="(\d+)"', svg)
    assert width is not None
    assert int(width.group(1)) > int(places[2]) + 96
