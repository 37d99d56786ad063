"""Numbers and formulas as models write them, and their one canonical form."""

import re
from fractions import Fraction

_UNIT = r"\s*\\(?:text|mathrm|mbox|textrm)\s*\{(?!\s*(?:or|and)\b)[^{}]*\}(?:\^\{?\d\}?)?"
_POWERED = r"(?<=\d)(?:\s+m|\s*(?:[kcm]m|ft|in|yd|mi))\s*\^\s*\{?[23]\}?(?=\s*$)"
_Table = tuple[tuple[re.Pattern[str], str], ...]
_SIGNS: _Table = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (r"[−‒–]", "-"),
        (r"×", r"\\times "),
        (r"÷", r"\\div "),
        (r"π", r"\\pi "),
        (r"√", r"\\sqrt "),
        (r"∞", r"\\infty "),
        (r"≈|\\approx(?![A-Za-z])", "="),
        (r"²", "^2"),
        (r"³", "^3"),
        (r"½", " 1/2"),
        (r"⅓", " 1/3"),
        (r"⅔", " 2/3"),
        (r"¼", " 1/4"),
        (r"¾", " 3/4"),
        (r"(?i:\b(?:minus|negative)\s+)(?=[$€£]?\.?\d)", "-"),
        (r"(?<=\w)\*\*(?=[\w({-])", "^"),
    )
)
_TIDY: _Table = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (r"\\(?:begin|end)\s*\{(?:align|aligned|gather|gathered|equation|split)\*?\}", " "),
        (r"&\s*=", "="),
        (r"\\!", ""),
        (r"(?<!\\)\\[,;: ]|\\q?quad\b|~", " "),
        (r"\{,\}", ","),
        (r"\\(?:left|right|displaystyle|big|Big)(?![A-Za-z])", ""),
        (r"\\[dt]frac", r"\\frac"),
        (r"\\([$%])", r"\1"),
        (r"(?:\^\s*(?:\\circ|\{\s*\\circ\s*\})|°)(?:\s*[CF]\b)?", ""),
        (rf"(?<=[\d}}]){_UNIT}", ""),
        (_POWERED, ""),
        (r"\\(?:text|mathrm|mathbf|textbf|mbox|textrm)\s*\{([^{}]*)\}", r"\1"),
        (r"\\frac\s*(\d)\s*(\d)", r"\\frac{\1}{\2}"),
    )
)
_LONGEST = 400
"""Characters beyond which nothing is taken for a number."""
_LAYERS = 10
"""Delimiters within delimiters that are peeled off."""
_FENCED = re.compile(r"\$\$(.+)\$\$|\$((?:\\.|[^$\\])+)\$|\\\((.+)\\\)|\\\[(.+)\\\]", re.DOTALL)
_CURRENCY = "[$€£¥₹₩₽]"
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SCALE = "|".join(_SCALES)
_DECIMAL = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?:[\u00a0\u2009\u202f]\d{3})+|\d+)(?:\.\d*)?|\.\d+"
_PLAIN = re.compile(
    rf"(?:[A-Za-z]\s*=\s*)?(?P<sign>[-+])?\s*{_CURRENCY}?\s*(?P<minus>-)?(?:"
    rf"\\frac\s*\{{\s*(?P<over>-?\d+)\s*\}}\s*\{{\s*(?P<under>\d+)\s*\}}"
    rf"|(?:(?P<whole>\d+)\s+)?(?P<top>\d+)\s*/\s*(?P<bottom>\d+)"
    rf"|(?P<decimal>\d{{1,3}}(?: \d{{3}})+(?:\.\d*)?|{_DECIMAL})"
    rf"(?:[eE](?P<exponent>[-+]?\d{{1,3}})|\s*(?:\\times|\\cdot|\*|x)\s*10\s*\^\s*\{{?(?P<power>-?\d{{1,3}})\}}?)?"
    rf")\s*(?P<scale>{_SCALE})?(?P<percent>%)?\s*{_CURRENCY}?"
)
NUMBER = re.compile(
    rf"(?<![A-Za-z\d_.])(?:(?<![\d)] )[-+]\s)?[-+]?{_CURRENCY}?-?"
    rf"(?:\d+\s+\d+/\d+|\d+\s*/\s*\d+(?![\d/])|(?:{_DECIMAL})(?<!\.)(?:[eE][-+]?\d+(?!\w))?)"
    rf"(?:\s*(?:%|(?:percent|{_SCALE})\b))?"
)
"""A number within plain prose: sign, currency, thousands, fraction, exponent, percent, millions."""


def plain_signs(text: str) -> str:
    """A text whose numbers are in plain signs: "2½" is "2 1/2", "minus 3" is "-3"."""
    for pattern, put in _SIGNS:
        text = pattern.sub(put, text)
    return text


def tidy(formula: str) -> str:
    """A formula without its delimiters, units, spacing commands and the like; what it says is unchanged."""
    formula = plain_signs(formula.strip().rstrip(".").strip())
    if fenced := _FENCED.fullmatch(formula):
        formula = next(filter(None, fenced.groups()))
    for pattern, put in _TIDY:
        formula = pattern.sub(put, formula)
    return " ".join(formula.split()).strip().rstrip(".")


def exact(number: str) -> tuple[Fraction, bool] | None:
    """The value of a plain number and whether it was written as a percentage; None for anything else."""
    match = _PLAIN.fullmatch(tidy(number)) if len(number) <= _LONGEST else None
    if match is None:
        return None
    if match["decimal"] is not None:
        value = Fraction(re.sub(r"[, ]", "", match["decimal"])) * Fraction(10) ** int(
            match["exponent"] or match["power"] or 0
        )
    else:
        under = int(match["under"] or match["bottom"])
        if under == 0:
            return None
        value = Fraction(int(match["over"] or match["top"]), under) + int(match["whole"] or 0)
    value *= _SCALES.get(match["scale"], 1)
    minus = (match["sign"] == "-") != (match["minus"] is not None)
    return (-value if minus else value), match["percent"] is not None


def canonical(number: str) -> str:
    """One spelling for all writings of a value: "1,000.0" and "1e3" are "1000", "2/4" is "0.5"; formulas close up."""
    for _ in range(_LAYERS):
        before, number = number, _closed_up(number)
        if number == before:
            break
    return number


def _closed_up(number: str) -> str:
    if (found := exact(number)) is None:
        return re.sub(r"(?<!\w)\s+|\s+(?!\w)", "", tidy(number))
    value, percent = found
    return _decimal(value) + ("%" if percent else "")


def _decimal(value: Fraction) -> str:
    for places in range(13):
        scaled = value * 10**places
        if scaled.denominator == 1:
            digits = f"{abs(scaled.numerator):0{places + 1}d}"
            sign = "-" if value < 0 else ""
            return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"
    return f"{value.numerator}/{value.denominator}"
