"""What a report shows, read from its HTML alone."""

import json
from html.parser import HTMLParser


class Page(HTMLParser):
    """The tables, figures and words of a report."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.figures, self.facts = {}, {}, {}
        self._words, self._caption, self._rows, self._inside, self._term = [], "", [], None, ""
        self.feed(text)
        self.words = " ".join("".join(self._words).split())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in ("script", "style"):
            self._inside = "figure" if given.get("class") == "figure" else "script"
        elif tag == "table":
            self._rows = []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th", "caption", "dt", "dd"):
            self._inside, self._cell, self._value = tag, "", given.get("data-value")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._rows[-1].append(self._cell if self._value is None else (float(self._value), self._cell))
        elif tag == "caption":
            self._caption = self._cell
        elif tag == "dt":
            self._term = self._cell
        elif tag == "dd":
            self.facts[self._term] = self._cell
        elif tag == "table":
            self.tables[self._caption] = self._rows[1:]
        if tag in ("script", "style", "td", "th", "caption", "dt", "dd"):
            self._inside = None

    def handle_data(self, data):
        if self._inside == "figure":
            figure = json.loads(data)
            self.figures[figure["id"]] = figure["data"]
        elif self._inside not in ("script", None):
            self._cell += data
        if self._inside not in ("figure", "script"):
            self._words.append(data)

    def column(self, caption, place):
        """The values of a column; of a cell with a number, the number."""
        cells = [row[place] for row in self.tables[caption]]
        return [cell[0] if isinstance(cell, tuple) else cell for cell in cells]

    def texts(self, caption, place):
        """The column as it reads."""
        cells = [row[place] for row in self.tables[caption]]
        return [cell[1] if isinstance(cell, tuple) else cell for cell in cells]


def points(trace):
    """The points of a trace, without gaps."""
    return [(x, y) for x, y in zip(trace["x"], trace["y"], strict=True) if x is not None]
