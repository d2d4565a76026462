"""The report in a browser: nothing cut off, everything reachable, from a bar to its samples."""

from itertools import pairwise
from pathlib import Path

import pytest

WIDTHS = (1280, 390)

CUT_OFF = """() => {
  const width = document.documentElement.clientWidth;
  const seen = (e) => !e.closest(".hidden, .symbols, .skip") && e.getClientRects().length;
  const found = [...document.querySelectorAll("body *")].filter(seen).filter((e) => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && (box.left < -0.5 || box.right > width + 0.5);
  });
  const scrolled = [...document.querySelectorAll("body *")].filter(seen).filter(
    (e) => e.scrollWidth > e.clientWidth && e.clientWidth && getComputedStyle(e).overflowX !== "visible");
  return [...found, ...scrolled].map((e) => `${e.tagName}.${e.className}`);
}"""

OVERLAPPING = """() => [...document.querySelectorAll(".bar")].filter((bar) => {
  const boxes = [...bar.children].map((e) => e.getBoundingClientRect()).filter((box) => box.width);
  return boxes.some((box, i) => i && box.left < boxes[i - 1].right - 0.5);
}).length"""

CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = numbers(colour).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return getComputedStyle(e).backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = new Set();
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    if (!text || !e.getClientRects().length || e.closest(".hidden, script, style")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) poor.add(`${e.tagName}.${e.className}: ${text.slice(0, 30)}`);
  }
  return [...poor];
}"""


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off(load, report, width):
    page = load(report, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(OVERLAPPING) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(load, report, scheme):
    page = load(report, color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


def test_pictures_are_there_and_have_words(load, report):
    page = load(report)
    pictures = page.evaluate("[...document.images].map((i) => [i.alt, i.complete && i.naturalWidth])")
    assert len(pictures) > 20
    assert all(words and width for words, width in pictures)


def test_headings_are_in_order(load, report):
    page = load(report)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map((h) => +h.tagName[1])")
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_names_are_given_once(load, report):
    page = load(report)
    names = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(names) == len(set(names))


def chosen(page):
    return page.locator("#chosen").inner_text()


def kinds(page):
    return page.evaluate("[...document.querySelectorAll('#gallery h3')].map((h) => h.firstChild.textContent)")


def test_from_a_bar_to_the_samples_behind_it(load, report):
    page = load(report)
    bar = page.locator(".bar", has_text="DTD").nth(1)
    assert "deep" in bar.get_attribute("aria-label")
    bar.click()
    assert chosen(page) == "DTD on deep, digits-maj, T = 12, fold 0"
    assert page.locator("#choice").is_visible()
    assert 0 <= page.evaluate("document.getElementById('choice').getBoundingClientRect().top") < 500
    assert kinds(page) == ["Best", "Median", "Worst", "Undefined"]
    cosines = page.locator(".card figcaption b").all_inner_texts()
    assert set(cosines[9:]) == {"no cosine"}
    values = [float(text.removeprefix("cosine ")) for text in cosines[:9]]
    best, median, worst = values[:3], values[3:6], values[6:]
    assert best == sorted(best, reverse=True) and worst == sorted(worst)
    assert min(best) >= max(median) and min(median) >= max(worst)


def test_the_keyboard_is_enough(load, report):
    page = load(report)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.locator(".bar").first.focus()
    page.keyboard.press("Enter")
    assert chosen(page).startswith("SA on shallow")
    page.get_by_role("combobox", name="Explainer").focus()
    page.keyboard.press("ArrowDown")
    assert chosen(page).startswith("DTD on shallow")
    assert page.evaluate("location.hash") == "#samples/digits-maj/t12/shallow/0/dtd"


def test_an_address_leads_to_samples(load, report):
    page = load(report, anchor="#samples/digits/t4/deep/quality/sa")
    assert chosen(page) == "SA on deep, digits, T = 4, the fixed split"
    assert kinds(page) == ["Highest", "Median", "Lowest"]
    assert page.locator(".strip span").count() == 0  # nothing is marked


def test_a_choice_keeps_what_stands_before_it(load, report):
    page = load(report)
    page.get_by_role("combobox", name="Architecture").select_option("deep")
    page.get_by_role("combobox", name="Fold").select_option("1")
    page.get_by_role("combobox", name="Explainer").select_option("lrp-a1.5b0.5")
    assert chosen(page).startswith("LRP")
    assert chosen(page).endswith("on deep, digits-maj, T = 12, fold 1")
    page.get_by_role("combobox", name="Data set").select_option("digits")
    assert chosen(page).endswith("on deep, digits, T = 4, the fixed split")


def test_steps_stand_below_their_columns(load, report):
    page = load(report, anchor="#samples/digits-maj/t12/deep/0/lrp-a1.5b0.5")
    card = page.locator(".card").first
    assert card.locator("rect").count() == 12
    heat, bars = (card.locator(name).bounding_box() for name in (".map", ".steps"))
    assert abs(heat["x"] - bars["x"]) < 1 and abs(heat["width"] - bars["width"]) < 1
    assert card.locator("rect.against").count() + card.locator("rect.for").count() == 12
    frames = card.locator(".map span")
    assert frames.count() == 2
    assert abs(frames.first.bounding_box()["width"] - heat["width"] / 3) < 1.5


def test_the_files_can_be_saved(load, report, study):
    page = load(report, accept_downloads=True)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="summary.csv").click()
    assert waiting.value.suggested_filename == "summary.csv"
    saved, written = Path(waiting.value.path()), Path(study.config.results, "scores", "summary.csv")
    assert saved.read_bytes() == written.read_bytes()


def test_figures_can_be_enlarged_where_there_is_little_room(load, report):
    page = load(report, 390)
    figure = page.locator(".drawing").first
    before = figure.locator("img").bounding_box()["width"]
    figure.get_by_role("button", name="Enlarge").click()
    assert figure.locator("img").bounding_box()["width"] > 1.5 * before
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    figure.get_by_role("button", name="Fit").click()
    assert figure.locator("img").bounding_box()["width"] == before


def test_it_prints_what_is_to_be_read(load, report):
    page = load(report)
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("nav").is_visible() and not page.locator("#choice").is_visible()
    assert page.locator(".card").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4")[:5] == b"%PDF-"
