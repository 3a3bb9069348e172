"""The pictures of docs/performance.md are readable without a program that knows them."""

import xml.etree.ElementTree as ET

import pytest

from tests.benchmarks.charts import LineChart, draw_bar

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("log", [False, True])
def test_a_chart_has_a_title_labels_and_a_point_for_each_measurement(log: bool) -> None:
    points = [(1, 20.0), (10, 180.0), (100, 900.0)]
    drawn = LineChart(
        title="Calls & more", x="in flight", y="a second", lines={"ours": points}, ideal={"ideal": points[:2]}, log=log
    ).draw()
    root = ET.fromstring(drawn)
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"Calls & more", "in flight", "a second", "ours", "ideal", "1", "10", "100"} <= {*texts}
    heights = [float(circle.attrib["cy"]) for circle in root.iter(f"{SVG}circle")]
    assert heights == sorted(heights, reverse=True)
    assert len(heights) == 3
    assert len(list(root.iter(f"{SVG}polyline"))) == 2


def test_a_chart_shows_values_below_its_lowest_top_small() -> None:
    drawn = LineChart(title="Memory", x="sessions", y="MiB", lines={"ours": [(1, 0.0), (10, 1.0)]}, top=5).draw()
    heights = [float(circle.attrib["cy"]) for circle in ET.fromstring(drawn).iter(f"{SVG}circle")]
    assert heights[0] - heights[1] == pytest.approx(260 / 5, abs=1)


def test_the_parts_of_a_bar_fill_it_and_the_largest_is_first() -> None:
    root = ET.fromstring(draw_bar("A call", {"small": 25.0, "large": 75.0}, "µs"))
    parts = [float(rect.attrib["width"]) for rect in root.iter(f"{SVG}rect") if rect.attrib.get("y") == "40"]
    assert parts == [435.0, 145.0]
    assert [text.text for text in root.iter(f"{SVG}text")][1:] == ["large: 75 µs, 75%", "small: 25 µs, 25%"]
