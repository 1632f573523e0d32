"""check_page.py PAGE LANGUAGE: what a screen reader needs stands in the page."""
import html.parser
import sys

VOID = ("input", "meta", "link", "br", "img", "path")


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.labels = [], set(), set()
        self.inputs, self.links, self.headings = [], [], []
        self.language = self.title = None

    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if tag == "html":
            self.language = a.get("lang")
        if tag in ("h1", "h2", "h3"):
            self.headings.append(int(tag[1]))
        if tag == "a":
            self.links.append(a["href"])
        if "id" in a:
            assert a["id"] not in self.ids, f"id {a['id']} comes twice"
            self.ids.add(a["id"])
        if tag == "label" and "for" in a:
            self.labels.add(a["for"])
        if tag in ("input", "textarea") and a.get("type") != "hidden":
            self.inputs.append((a, "label" in self.open))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open and self.open[-1] == "title":
            self.title = data


page = Page()
page.feed(open(sys.argv[1], encoding="utf-8").read())
assert not page.open, f"not closed: {page.open}"
assert page.language == sys.argv[2]
assert page.title
assert page.headings.count(1) == 1
assert page.links[0] == "#main" and "main" in page.ids
for before, after in zip(page.headings, page.headings[1:]):
    assert after <= before + 1, "a level of headings is left out"
for a, inside in page.inputs:
    assert inside or a["id"] in page.labels, f"no label: {a}"
    for target in (a.get("aria-describedby") or "").split():
        assert target in page.ids, f"described by nothing: {target}"
