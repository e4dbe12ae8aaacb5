"""What a start script or an environment file sets, without running it.

In:   text. Out: the variables' values at its end and the other words, `$X`, `${X}` and `${X:-default}` put in.
Comments, quotes and lines that go on are read as the shell reads them; conditions are not judged: every branch counts,
and the last assignment wins. What cannot be known (a command's output, a variable that is set elsewhere) stays as it is
written, so that nobody takes it for a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TEXT_LIMIT = 256 * 1024
VALUE_LIMIT = 16 * 1024
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-=+?])([^{}]*))?\})")
_DEFAULT = re.compile(r"\$\{([A-Za-z_]\w*):?=([^{}]*)\}")


def read_shell(text: str, variables: dict[str, str]) -> list[str]:
    """Put what `text` assigns into `variables`, in its order; the words that assign nothing."""
    others = []
    for raw in _words(text.replace("\r\n", "\n")[:TEXT_LIMIT]):
        word, expands = raw
        if match := _ASSIGNMENT.fullmatch(word):
            name, plus, value = match.groups()
            value = _expanded(value, variables) if expands else value
            before = variables.pop(name, "") if plus else ""
            variables.pop(name, None)  # the order of `variables` is that of the last assignments
            variables[name] = (before + value)[:VALUE_LIMIT]
            continue
        for name, default in _DEFAULT.findall(word):
            variables.setdefault(name, _expanded(default, variables))
        others.append(_expanded(word, variables) if expands else word)
    return others


def unresolved(text: str) -> str:
    """The name of the first variable left in `text`; "" when there is none."""
    match = _VARIABLE.search(text)
    return "" if match is None else match[1] or match[2]


def _expanded(text: str, variables: dict[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, operator, word = match[1] or match[2], match[3] or "", match[4] or ""
        known = variables.get(name)
        if operator.endswith("+"):
            return word if known else ""
        if known or (known is not None and not operator.startswith(":")):
            return known
        return word if operator.endswith(("-", "=")) else match[0]

    # Twice: a default may itself name a variable.
    return _VARIABLE.sub(value, _VARIABLE.sub(value, text))[:VALUE_LIMIT]


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Each word without its quotes, and whether variables in it count (not where single quotes stood)."""
    word, begun, expands, position = "", False, True, 0
    while position < len(text):
        character = text[position]
        if character == "\\" and position + 1 < len(text):
            if text[position + 1] != "\n":
                word, begun = word + text[position + 1], True
            position += 2
            continue
        if character in "\"'":
            inside, position = _quoted(text, position)
            word, begun = word + inside, True
            expands = expands and character == '"'
            continue
        if character in " \t\n;&|()":
            if begun:
                yield word, expands
            word, begun, expands = "", False, True
        elif character == "#" and not begun:
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
            continue
        else:
            end = _end_of_braces(text, position)
            word, begun, position = word + text[position:end], True, end
            continue
        position += 1
    if begun:
        yield word, expands


def _end_of_braces(text: str, position: int) -> int:
    """`${X:-a b}` is one piece, whatever stands in it."""
    if text.startswith("${", position):
        end = text.find("}", position)
        if end > 0 and "\n" not in text[position:end]:
            return end + 1
    return position + 1


def _quoted(text: str, start: int) -> tuple[str, int]:
    """The text between two quotes, and where it goes on after them."""
    quote, piece, position = text[start], [], start + 1
    while position < len(text) and text[position] != quote:
        if quote == '"' and text[position] == "\\" and position + 1 < len(text):
            following = text[position + 1]
            # Within double quotes a backslash counts before these only; before a line's end both go.
            piece.append("" if following == "\n" else following if following in '"\\`' else "\\" + following)
            position += 2
            continue
        piece.append(text[position])
        position += 1
    return "".join(piece), position + 1
