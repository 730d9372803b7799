"""A closer look at what rows say: every check of content.py, the languages, and whether short answers are one-sided."""

from __future__ import annotations

from collections import Counter, defaultdict

from assistant.dataset.content import faults, masked, parts
from assistant.dataset.language import language_of
from assistant.dataset.scan import Finding, Scan
from trainer.formats import Example, Format

LABEL_CHARS = 40  # an answer up to this long may be a label
LABELS = 20  # kinds of labels at most
SHOWN_LABELS = 5
FEW_OF_A_KIND = 5  # rows on average; with fewer, short answers are answers and no labels
FEW_ROWS = 50
ONE_SIDED = 0.8
MAIN_LANGUAGE = 0.6  # share from which a file is in one language, and the others are the exception


def closer_look(seen: Scan) -> dict[str, Finding]:
    """Findings by check, on the rows of the sample."""
    found: dict[str, Finding] = {}
    answers = [(number, look_at(number, example, found, about=not seen.complete)) for _, number, example in seen.sample]
    return found | _languages(answers) | _labels(answers, seen.fmt) | _few(seen)


def look_at(number: int, example: Example, found: dict[str, Finding], about: bool = False) -> str:
    """Notes what content.py finds in one row, and returns its answer."""
    prompt, answer = parts(example)
    for check, piece in faults(prompt, answer):
        finding = found.setdefault(check.name, Finding(check.severity, check.message, check.hint, about=about))
        finding.add(number, piece)
    return answer


def _languages(answers: list[tuple[int, str]]) -> dict[str, Finding]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    texts = dict(answers)
    for number, answer in answers:
        if name := language_of(answer):
            rows[name].append(number)
    known = sum(map(len, rows.values()))
    main = max(rows, key=lambda name: len(rows[name]), default="")
    if not main or len(rows[main]) < MAIN_LANGUAGE * known or len(rows) == 1:
        return {}
    others = sorted((number, name) for name, numbers in rows.items() if name != main for number in numbers)
    names = ", ".join(sorted({name for _, name in others}))
    finding = Finding("tells", f"in another language ({names}) than the rest ({main})", "Fine if that is meant.")
    for number, _ in others:
        finding.add(number, masked(texts[number]))
    return {"language mix": finding}


def _labels(answers: list[tuple[int, str]], fmt: Format) -> dict[str, Finding]:
    """Short answers with few kinds are labels: one kind in four of five rows makes the others hard to learn."""
    short = [(number, answer.strip()) for number, answer in answers if len(answer) <= LABEL_CHARS]
    kinds = Counter(label for _, label in short)
    if len(short) < FEW_ROWS or len(short) < 0.9 * len(answers) or not 1 < len(kinds) <= LABELS:
        return {}
    return (_one_sided(kinds, short) | _numbers(kinds, short)) or _told(kinds, short, fmt)


def _one_sided(kinds: Counter[str], short: list[tuple[int, str]]) -> dict[str, Finding]:
    label, count = kinds.most_common(1)[0]
    if count < ONE_SIDED * len(short):
        return {}
    message = f"with the same answer {_inert(label)}, {count / len(short):.0%} of all"
    finding = Finding("warns", message, "Balance the answers, or expect only that one.")
    return {"one-sided answers": _over([row for row in short if row[1] == label], finding)}


def _over(rows: list[tuple[int, str]], finding: Finding) -> Finding:
    for number, answer in rows:
        finding.add(number, answer)
    return finding


def _numbers(kinds: Counter[str], short: list[tuple[int, str]]) -> dict[str, Finding]:
    """Labels that are numbers in a code only their author knows: 0 and 1 for negative and positive."""
    if not all(kind.isdigit() for kind in kinds):
        return {}
    finding = Finding(
        "tells",
        f"with a number as the answer, {len(kinds)} kinds in all: labels, as it seems",
        "The model will answer with that number. Words, such as positive and negative, are learnt more easily and need no key.",
    )
    return {"numbers as labels": _over(short, finding)}


def _told(kinds: Counter[str], short: list[tuple[int, str]], fmt: Format) -> dict[str, Finding]:
    """What the labels are and how often each comes; many kinds of few rows each are answers."""
    if len(kinds) > SHOWN_LABELS and len(kinds) * FEW_OF_A_KIND > len(short):
        return {}
    shares = [f"{_inert(label)} {count / len(short):.0%}" for label, count in kinds.most_common(SHOWN_LABELS)]
    more = f", {len(kinds) - len(shares)} more" if len(kinds) > len(shares) else ""
    message = f"whose answer is one of {len(kinds)} labels: {', '.join(shares)}{more}"
    hint = "Classification: the model learns to answer with the label and nothing else."
    if fmt.name == "prompt_completion":
        hint += f" To have it learn the texts instead, say *use {fmt.columns['prompt']} as the whole text*."
    finding = Finding("tells", message, hint)
    return {"labels": _over(short, finding)}


def _inert(label: str) -> str:
    """A label as code, which it cannot end."""
    return f"`{' '.join(masked(label).replace('`', 'ʼ').split())}`"


def _few(seen: Scan) -> dict[str, Finding]:
    if not 0 < seen.usable < FEW_ROWS:
        return {}
    hint = f"From {FEW_ROWS} on it starts to make sense; 500 good ones are better. Keep the rank and the epochs low."
    finding = Finding("tells", "little data, which the model will learn by heart rather than from", hint)
    finding.count = seen.usable
    return {"few rows": finding}
