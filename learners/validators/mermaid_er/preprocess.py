"""What Mermaid takes away before its grammar sees a diagram: front matter, directives, comments, entity codes.

The order is Mermaid's own and matters: a comment may hide a directive's text, not the other way round. Front matter and
directives are removed without being read, so YAML or JSON that is broken inside them is not noticed here.
"""

from __future__ import annotations

import re

_TAG = re.compile(r"<\w+[^>]*>", re.ASCII)
_QUOTED_VALUE = re.compile(r'="([^"]*)"')
_DIRECTIVE_HEAD = re.compile(r"%%\{\s*\w+\s*:?\s*(\w*)\s*", re.ASCII)
_COLOUR = re.compile(r":[^\s:#]*#")
_ENTITY_CODE = re.compile(r"#(\w+);", re.ASCII)


def preprocess(text: str) -> str:
    """The lines that the grammar is to read; it ends in a newline, which some statements need."""
    text = _mend_tags(text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _without_comments(_without_directives(_without_front_matter(text)))
    for word in ("style", "classDef"):
        text = _without_semicolons(text, word)
    # Mermaid hides `#amp;` and `#35;` in letters outside ASCII, so that neither `#` nor `;` reaches the grammar.
    return _ENTITY_CODE.sub("\ufb02\u00b0\\1\u00b6\u00df", text.lstrip()) + "\n"


def _mend_tags(text: str) -> str:
    """`<b class="x">` gets single quotes, since a double one would end the label that the tag stands in."""
    last = text.rfind(">") + 1  # past it no tag can close: looking there would cost a scan for every `<`
    return _TAG.sub(lambda tag: _QUOTED_VALUE.sub(r"='\1'", tag[0]), text[:last]) + text[last:]


def _without_front_matter(text: str) -> str:
    """Drop a leading block between two `---` lines of the same indent, if it is closed."""
    if not text.lstrip(" \t").startswith("---"):
        return text
    lines = text.split("\n")
    fence = lines[0].rstrip()
    for index in range(2, len(lines) - 1):
        if lines[index].rstrip() == fence:
            return "\n".join(lines[index + 1 :]) if fence.strip() == "---" else text
    return text


def _without_directives(text: str) -> str:
    """Drop each `%%{init: ...}%%`; one that is never closed takes the rest of the text with it."""
    kept, position = [], 0
    while (start := text.find("%%{", position)) >= 0:
        head = _DIRECTIVE_HEAD.match(text, start)
        kept.append(text[position:start] if head else text[position : start + 3])
        position = _directive_end(text, head) if head else start + 3
    return "".join([*kept, text[position:]])


def _directive_end(text: str, head: re.Match[str]) -> int:
    if head[1]:  # a bare word as the value: the directive ends with it
        return head.end() + (3 if text.startswith("}%%", head.end()) else 0)
    close = text.find("}%%", head.end())
    return close + 3 if close >= 0 else len(text)


def _without_semicolons(text: str, word: str) -> str:
    """Drop the last `;` of each line that styles something with a colour such as `fill:#f96`, wherever it stands."""
    if word not in text or ";" not in text:
        return text
    return "\n".join(_without_semicolon(line, word) for line in text.split("\n"))


def _without_semicolon(line: str, word: str) -> str:
    start, semicolon = line.find(word), line.rfind(";")
    coloured = start >= 0 and _COLOUR.search(line, start + len(word), max(semicolon, 0))
    return line[:semicolon] + line[semicolon + 1 :] if coloured else line


def _without_comments(text: str) -> str:
    """Drop each line that starts with `%%` and a character other than `{`; `%%` alone is not a comment to Mermaid."""
    if "%%" not in text:
        return text
    return "\n".join(line for line in text.split("\n") if not _is_comment(line))


def _is_comment(line: str) -> bool:
    code = line.lstrip()
    return len(code) > 2 and code.startswith("%%") and code[2] != "{"
