#!/usr/bin/env -S python3 -IS
"""Looks at a page of report, as a browser dumped its DOM or as it was written.

usage: page.py PAGE [EXPECTATION...]
  ID=TEXT    the element of this id contains the text (white space folded)
  ID!TEXT    it does not
  count:NAME=N   so many elements of this name (NAME.CLASS for a class)
Always: no script, no handler, nothing from elsewhere, headings in order, header cells with a scope,
drawings with a title and a description, every id once, and every reference to one there.
"""
import re
import sys
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "input", "hr", "base", "col", "wbr"}


def demand(truth, message):
    if not truth:
        sys.exit("page.py: " + message)


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.text = {}
        self.counts = {}
        self.level = 0
        self.references = set()
        self.drawings = []
        self.policy = ""
        self.everything = []

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes, tag in VOID)

    def handle_startendtag(self, tag, attributes, closed=True):
        names = [name for name, _ in attributes]
        demand(len(names) == len(set(names)), f"<{tag}> has an attribute twice")
        attributes = dict(attributes)
        demand(tag not in {"script", "iframe", "object", "embed", "img", "link", "base", "form",
                           "foreignobject", "animate", "set"}, f"there is a <{tag}>")
        for name, value in attributes.items():
            demand(not name.startswith("on"), f"<{tag}> has {name}")
            if name in {"href", "src", "xlink:href", "action", "data", "poster", "srcset"}:
                demand(re.fullmatch(r"#[\w-]+", value or ""), f"<{tag}> leads to {value!r}")
                self.references.add(value[1:])
            if name in {"aria-labelledby", "aria-describedby"}:
                self.references.update(value.split())
            if name == "style":
                for target in re.findall(r"url\(([^)]*)\)", value):
                    demand(target.strip("\"'").startswith("#"), f"style leads to {target}")
                    self.references.add(target.strip("\"'")[1:])
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        if re.fullmatch(r"h[1-6]", tag):
            demand(int(tag[1]) <= self.level + 1, f"<{tag}> after <h{self.level}>")
            self.level = int(tag[1])
        if tag == "th":
            demand(attributes.get("scope") in {"col", "row"}, "a header cell without scope")
        if attributes.get("role") == "img":
            demand(len(attributes.get("aria-labelledby", "").split()) == 2, "a drawing without names")
        for one in [tag] + [f"{tag}.{name}" for name in attributes.get("class", "").split()]:
            self.counts[one] = self.counts.get(one, 0) + 1
        if "id" in attributes:
            demand(attributes["id"] not in self.text, f"id {attributes['id']} twice")
            self.text[attributes["id"]] = []
        if not closed:
            self.open.append((tag, attributes.get("id")))

    def handle_endtag(self, tag):
        demand(self.open and self.open[-1][0] == tag, f"</{tag}> within {self.open[-1:]}")
        self.open.pop()

    def handle_data(self, data):
        if any(tag == "style" for tag, _ in self.open):
            demand("@import" not in data and "url(http" not in data, "style from elsewhere")
            return
        self.everything.append(data)
        for _, name in self.open:
            if name:
                self.text[name].append(data)


def fold(text):
    return re.sub(r"\s+", " ", text.replace("\u202f", "")).strip()


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        content = file.read()
    page = Page()
    page.feed(content)
    page.close()
    demand(not page.open, f"not closed: {page.open}")
    demand("default-src 'none'" in page.policy, "no policy against scripts")
    demand(page.counts.get("h1") == 1, "not one <h1>")
    missing = page.references - set(page.text)
    demand(not missing, f"references to nothing: {missing}")
    page.text["page"] = page.everything
    demand(not re.search("[\u0000-\u0008\u000b-\u001f\u200b-\u200f\u202a-\u202e\u2066-\u2069]",
                         "".join(page.everything)), "a character that deceives")
    for wanted in sys.argv[2:]:
        if wanted.startswith("count:"):
            name, number = wanted[6:].rsplit("=", 1)
            demand(page.counts.get(name, 0) == int(number),
                   f"{page.counts.get(name, 0)} of {name} instead of {number}")
            continue
        name, sign, text = re.fullmatch(r"([\w-]+)([=!])(.*)", wanted, re.S).groups()
        demand(name in page.text, f"no element {name}")
        found = fold(" ".join(page.text[name]))
        found_tight = fold("".join(page.text[name]))
        there = text in found or text in found_tight
        demand(there == (sign == "="), f"{name} has {found_tight[:2000]!r}, {sign} {text!r}")


if __name__ == "__main__":
    main()
