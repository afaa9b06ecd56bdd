"""Templates of others: what they may do is done, what they may not is refused, and page one is ours whatever they print."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import tinyhtml5
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reports import golden, typed

from qaudit.core.catalogue.sections import SECTIONS
from qaudit.errors import Refused
from qaudit.rendering.custom_template.layout import linked
from qaudit.rendering.custom_template.markup import ELEMENTS, PLACE, pieces
from qaudit.rendering.custom_template.sandbox import CustomTemplateError, plain, text_of
from qaudit.rendering.custom_template.source import ENTRY, LONGEST, MOST_FILES, STYLES, read_custom_template
from qaudit.rendering.custom_template.styles import HOLDER, scoped
from qaudit.rendering.html import page

MEMO = Path(__file__).parent.parent.parent / "examples" / "third_party_template" / "memo"
FREE = [anchor for anchor in SECTIONS if anchor != "result"]
EVERY = "".join(f'<{PLACE} name="{anchor}"></{PLACE}>' for anchor in FREE)


def custom_template(template: str, sheet: str = "") -> dict[str, Any]:
    return {"name": "acme", "digest": "sha256:" + "ab" * 32, "files": {ENTRY: template, STYLES: sheet}}


def laid(template: str, sheet: str = "", pdf: bool = False) -> str:
    return page(typed(golden()), custom_template=custom_template(template, sheet), pdf=pdf)


def first_page(text: str) -> str:
    """Page one without what it says of the template."""
    found = re.search(r'<section id="result".*?</section>', text, re.DOTALL)
    assert found
    return re.sub(r'\n<p class="sub custom-template-note">.*?</p>', "", found[0])


def told(text: str) -> str:
    found = re.search(r'<p class="sub custom-template-note">(.*?)</p>', text, re.DOTALL)
    assert found
    return re.sub(r"<[^>]*>", "", found[1])


@pytest.mark.parametrize("pdf", [False, True], ids=["html", "pdf"])
def test_page_one_is_that_of_a_report_without_a_template(pdf: bool) -> None:
    nasty = (
        '</div></div></main><div id="a" class="first verdict">All 10 limits within</div></section></body></html>'
        '<div class="custom-template-body">' + EVERY.join(["</div>", "<p>after"])
    )
    sheet = "div, section, p { display: none; color: #fff } * { width: 0; height: 0; margin: 0 } .first { display: none }"
    ours, theirs = page(typed(golden()), pdf=pdf), laid(nasty, sheet, pdf)
    assert first_page(theirs) == first_page(ours)
    assert told(theirs).startswith(
        "What follows this page is laid out by the template acme (abababababababab), which is not part of"
    )
    assert told(theirs).endswith("It leaves no section out.")
    assert theirs.index('id="result"') < theirs.index('class="custom-template"')


def test_what_is_left_out_stands_on_page_one_and_nothing_links_there() -> None:
    text = laid(f'<h2>Memo</h2><{PLACE} name="precision"></{PLACE}>')
    left = [f"{list(SECTIONS).index(anchor)} {SECTIONS[anchor].title}" for anchor in FREE if anchor != "precision"]
    assert f"It leaves out: {', '.join(left)}. All of it is in report.json." in told(text)
    assert set(re.findall(r'href="#([^"]*)"', text)) <= set(re.findall(r'\bid="([^"]*)"', text))
    assert '<section id="precision"' in text
    assert '<section id="drift"' not in text


def test_sections_stand_where_the_template_puts_them_and_once() -> None:
    text = laid(f'<p>a</p><{PLACE} name="signoff"></{PLACE}><p>b</p><{PLACE} name="rules"></{PLACE}>')
    where = [text.index(part) for part in ('id="result"', "<p>a</p>", 'id="signoff"', "<p>b</p>", 'id="rules"')]
    assert where == sorted(where)
    assert text.count("From the template") == 2, "every piece says whose words it holds"


def test_the_contents_list_the_template_s_headings() -> None:
    text = laid(f'<h2 id="memo">For the <b>committee</b></h2><p><a href="#memo">up</a></p><{PLACE} name="rules"></{PLACE}>')
    assert text.count('href="#x-memo"') == 2, "in the margin and in the template"
    assert '<h2 id="x-memo">' in text
    assert "For the committee</a>" in text


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("<script>alert(1)</script>", "<script> is not among the elements"),
        ("<p><style>#result{display:none}</style>", "<style> is not among"),
        ("<style>a{}</style>", "<style> is not among"),
        ("<link rel=stylesheet href=x>", "<link> is not among"),
        ("<base href='//x'>", "<base> is not among"),
        ("<meta http-equiv=refresh content=0>", "<meta> is not among"),
        ("<title>Result</title>", "<title> is not among"),
        ("<iframe srcdoc=x></iframe>", "<iframe> is not among"),
        ("<svg><use href='#result'/></svg>", "<svg> is not among"),
        ("<img src=x onerror=alert(1)>", "<img> is not among"),
        ("<form></form>", "<form> is not among"),
        ("<h1>Result</h1>", "<h1> is not among"),
        ("<math><mi>x", "<math> is not among"),
        ("<p style='position:fixed'>x</p>", '<p style="position:fixed">: the attributes of a template are'),
        ("<p onclick='x()'>x</p>", '<p onclick="x\\(\\)">'),
        ("<a href='https://example.com'>x</a>", "# and the name of a section"),
        ("<a href='javascript:x'>x</a>", "# and the name of a section"),
        ("<a href='#nowhere'>x</a>", "href '#nowhere': no id of the template and no placed section"),
        ("<a href='#drift'>x</a>", "href '#drift'"),
        ("<p id='drift'>x</p>", '<p id="drift">'),
        ("<p id='a'>x</p><p id='a'>x</p>", '<p id="a">: wanted: a name'),
        ("<p class='a&quot;b'>x</p>", "wanted: names of classes"),
        ("<td colspan=5000>", None),
        ("<table><tr><td colspan=5000>x</table>", "a number up to 100"),
        (f"<{PLACE} name=result></{PLACE}>", "no such section"),
        (f"<{PLACE}></{PLACE}>", "no such section"),
        (f"<{PLACE} name=drift>", None),
        (f"<{PLACE} name=drift><p>x", "is not closed"),
        (f"<{PLACE} name=drift />text", "is not closed"),
        (f"<div><{PLACE} name=drift></{PLACE}></div>", "stands inside another element"),
        (EVERY + f"<{PLACE} name=drift></{PLACE}>", '<qaudit-section name="drift"> stands twice'),
        ("<div>" * 70, "more than 60 inside each other"),
        ("<div>" * 5000, "inside each other"),
        ("{% for i in range(60000) %}<br>{% endfor %}", "more than 50000 elements"),
        (
            "{% for i in range(99999) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' }}{% endfor %}",
            "prints more than",
        ),
        ("{{ 'x' | safe }}", "filter 'safe' is not among"),
        ("{{ ['<b>'] | map('safe') | join }}", "No filter named 'safe'"),
        ("{{ report | attr('items') }}", "filter 'attr' is not among"),
        ("{{ '%s' | format(report) }}", "filter 'format' is not among"),
        ("{{ report | tojson }}", "filter 'tojson' is not among"),
        ("{{ report | pprint }}", "filter 'pprint' is not among"),
        ("{{ 'http://x' | urlize }}", "filter 'urlize' is not among"),
        ("{% autoescape false %}{{ report.subject.name }}{% endautoescape %}", "autoescape is always on"),
        ("{{ ''.__class__.__mro__ }}", "SecurityError"),
        ("{{ report.__init__ }}", "SecurityError|UndefinedError"),
        ("{{ ('{0.__class__}').format(report) }}", "SecurityError"),
        ("{{ lipsum.__globals__ }}", "UndefinedError: 'lipsum' is undefined"),
        ("{{ cycler }}", "UndefinedError"),
        ("{{ report.nothing.more }}", "UndefinedError"),
        ("{{ report.subject.update(name='x') }}", "SecurityError"),
        ("{{ report.findings.append(1) }}", "SecurityError"),
        ("{{ report.clear() }}", "SecurityError"),
        ("{{ self._TemplateReference__context }}", "SecurityError|UndefinedError"),
        ("{{ range(1000000) }}", "OverflowError"),
        ("{% include '/etc/passwd' %}", "TemplateNotFound"),
        ("{% include '../report.html.j2' %}", "TemplateNotFound"),
        ("{% extends 'report.html.j2' %}", "TemplateNotFound"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% if %}", "template.html.j2, line 1: TemplateSyntaxError"),
        ("\n\n{{ x", "line 3: TemplateSyntaxError"),
    ],
)
def test_what_a_template_may_not_do_is_refused(template: str, said: str | None) -> None:
    if said is None:
        assert '<section id="result" class="first">' in laid(template), "the parser mends it"
        return
    with pytest.raises(CustomTemplateError, match=said) as refused:
        laid(template)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ("p { position: fixed }", "line 1: property 'position' is not among"),
        ("\np { color: red; content: 'x' }", "line 2: property 'content'"),
        ("p { margin-top: -500px }", "'-500px': words, colours and numbers from 0 to 10000"),
        ("p { margin-top: calc(1px - 500px) }", "margin-top"),
        ("p { width: 99999px }", "from 0 to 10000"),
        ("p { background: url(x.png) }", "background"),
        ("p { background: URL('x.png') }", "background"),
        ("p { background: image-set('x.png' 1x) }", "background"),
        ("p { color: var(--x) }", "color"),
        ("p { --x: 1px }", "property '--x'"),
        ("p { color: red !important }", None),
        ("p { list-style-type: '</style><script>' }", "list-style-type"),
        ("p { color: \\3c /style\\3e }", "color"),
        ("@import 'x';", "@import"),
        ("@page { size: A5 }", "@page"),
        ("@font-face { font-family: x; src: url(x) }", "@font-face"),
        ("@media (min-width: 1px) { p { color: red } }", "@media"),
        ("@media print { @media print { p { color: red } } }", "@media"),
        ("@keyframes x { from { color: red } }", "@keyframes"),
        ("html { display: none }", "selector 'html'"),
        ("#result { display: none }", "selector '#result'"),
        (":root { display: none }", "selector ':root'"),
        ("+ p { display: none }", "selector"),
        ("~ section { display: none }", "selector"),
        ("> p { display: none }", "at either end"),
        ("p > { display: none }", "at either end"),
        ("p + p { color: red }", "selector"),
        ("p:has(a) { color: red }", "selector"),
        ("p:not(.x), body { color: red }", "selector"),
        ("p::before { color: red }", "selector"),
        ("[class] { color: red }", "selector"),
        ("p, { color: red }", "selector ''"),
        ("p { color }", "wanted"),
        ("p { p { color: red } }", "wanted"),
        ("p { color: red", None),
        ("}", "wanted"),
        ("<!-- p { color: red } -->", None),
    ],
)
def test_what_styles_may_not_do_is_refused(sheet: str, said: str | None) -> None:
    if said is None:
        assert all(rule.startswith(HOLDER) for rule in scoped(sheet).splitlines())
        return
    with pytest.raises(CustomTemplateError, match=re.escape(said)) as refused:
        scoped(sheet)
    assert str(refused.value).startswith("template.css, line ")


def test_styles_that_are_fine_stand_under_the_holder() -> None:
    sheet = (
        "/* x */ .lead > b:first-child, TD:nth-child(2n+1) { COLOR: #123; margin: 0 1em; }\n@media print { * { gap: 1mm 2% } }"
    )
    assert scoped(sheet) == (
        ".custom-template-body .x-lead > b:first-child,.custom-template-body td:nth-child(2n+1){color:#123;margin:0 1em}\n"
        "@media print{.custom-template-body *{gap:1mm 2%}}"
    )


BITS = st.sampled_from(
    [
        *"{}();:,.#>+~*@\\/'\"<-",
        " ",
        "\n",
        "p",
        "div",
        "html",
        "color",
        "red",
        "1px",
        "-1",
        "url(x)",
        "</style>",
        "@media print",
        "{}",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(BITS, max_size=25).map("".join)))
def test_no_style_sheet_gets_out_of_its_element(sheet: str) -> None:
    try:
        rules = scoped(sheet)
    except CustomTemplateError:
        return
    assert "<" not in rules
    assert "url(" not in rules.lower()
    inner = re.sub(r"@media (?:print|screen)\{(.*?\})?\}", r"\1", rules.replace("\n", ""))
    for selectors in re.findall(r"([^{}]+)\{[^{}]*\}", inner):
        assert all(each.startswith(f"{HOLDER} ") for each in selectors.split(",")), rules


OPEN = ("div", "p", "table", "td", "h2", "b", "a", "script", "svg", "section", "select", "template", "style")
SHUT = ("div", "p", "table", "body", "html", "main", "section", "b", "a", "style")
OTHER = ("<!-- ", "-->", "<![CDATA[", "&lt;", "&", "text", "\u202e", "<p onclick=x>", "<p title='\"><script>'>", "\x00")
TAGS = st.sampled_from(
    [*(f"<{tag}>" for tag in OPEN), *(f"</{tag}>" for tag in SHUT), *OTHER, f"<{PLACE} name=drift>", f"</{PLACE}>"]
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.text(max_size=80), st.lists(TAGS, max_size=20).map("".join)))
def test_no_markup_gets_out_of_its_element(text: str) -> None:
    try:
        found = pieces(text, FREE)
    except CustomTemplateError:
        return
    for piece in found:
        around = f'<!DOCTYPE html><body><main><div id="in">{piece.markup}</div><p id="after">x</p></main>'
        main = tinyhtml5.parse(around, namespace_html_elements=False).find("body/main")
        assert [child.get("id") for child in main] == ["in", "after"]
        for element in main[0].iter():
            assert element is main[0] or element.tag in ELEMENTS
            assert not [name for name in element.attrib if name.startswith("on") or name == "style"]
        assert "\u202e" not in piece.markup


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=60, deadline=None)
@given(NAMES)
def test_names_stay_text(name: str) -> None:
    report = {"subject": {"name": name}}
    text = text_of({ENTRY: "<p>{{ report.subject.name }}</p><p>{{ [report.subject.name] | join(', ') }}</p>"}, {"report": report})
    body = tinyhtml5.parse("<!DOCTYPE html>" + text, namespace_html_elements=False).find("body")
    assert [child.tag for child in body] == ["p", "p"]
    assert not list(body[0])


def test_the_template_sees_a_copy_of_plain_values() -> None:
    report = typed(golden())
    before = copy.deepcopy(report)
    page(report, custom_template=custom_template("{% set x = report.subject %}<p>{{ x.name }}</p>"))
    assert report == before
    with pytest.raises(TypeError, match="Path is not a plain value"):
        plain({"x": [Path("/")]})


def test_links_to_places_that_are_there_stay() -> None:
    assert linked('<p id="a"><a class="ref" href="#a">x</a><a href="#b">y <b>z</b></a>') == (
        '<p id="a"><a class="ref" href="#a">x</a>y <b>z</b>'
    )


def folder_with(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / ENTRY).write_text("<p>x</p>")
    for name, text in files.items():
        (folder / f"{name}.html.j2").write_text(text)
    return folder


def test_the_digest_is_that_of_names_and_bytes(tmp_path: Path) -> None:
    one, two = folder_with(tmp_path / "a", more="<p>"), folder_with(tmp_path / "b", more="<p>")
    (two / "README.md").write_text("not read")
    assert read_custom_template(one).digest == read_custom_template(two).digest
    assert read_custom_template(one).name == "a"
    (two / "more.html.j2").write_text("<p >")
    assert read_custom_template(one).digest != read_custom_template(two).digest


def bad_folders(folder: Path) -> Iterator[tuple[str, str]]:
    yield "absent", "No such file or directory; a folder that holds template.html.j2 is wanted"
    (folder / "file").write_text("x")
    yield "file", "Not a directory"
    (folder / "empty").mkdir()
    yield "empty", "no template.html.j2 in it"
    (folder_with(folder / "link") / "more.html.j2").symlink_to("/etc/passwd")
    yield "link", "more.html.j2: template: Too many levels of symbolic links; a plain file is wanted"
    os.mkfifo(folder_with(folder / "pipe") / STYLES)
    yield "pipe", "template.css: template: a plain file is wanted"
    (folder_with(folder / "deep") / "more.html.j2").mkdir()
    yield "deep", "more.html.j2: template: a plain file is wanted"
    folder_with(folder / "long", more="x" * (LONGEST + 1))
    yield "long", f"more.html.j2: template: longer than {LONGEST} bytes"
    folder_with(folder / "many", **{f"m{n}": "" for n in range(MOST_FILES)})
    yield "many", f"{MOST_FILES + 1} files found, at most {MOST_FILES} are wanted"
    (folder_with(folder / "latin") / STYLES).write_bytes(b"/* \xe9 */")
    yield "latin", "template.css: template: not UTF-8 text (byte 3)"


def test_folders_that_are_no_template_are_refused_in_one_line(tmp_path: Path) -> None:
    for name, said in bad_folders(tmp_path):
        with pytest.raises(Refused) as refused:
            read_custom_template(tmp_path / name)
        assert said in str(refused.value)
        assert str(tmp_path / name) in str(refused.value)


def test_the_example_makes_a_whole_page() -> None:
    text = page(typed(golden()), custom_template=asdict(read_custom_template(MEMO)))
    assert "Memo to the model risk committee" in text
    assert first_page(text).count("<section") == 1
    assert all(f'<section id="{anchor}"' in text for anchor in ("rules", "precision", "drift", "evidence", "signoff"))
