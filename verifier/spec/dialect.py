# SPDX-License-Identifier: Apache-2.0
"""What the two versions of VNN-LIB spell differently.

Version 1.0 is a part of SMT-LIB: symbols of many characters, ``not``, chained comparisons, division
by constants. Version 2.0 has a grammar of its own: names are letters, digits and underscores, an
index follows its name in brackets, comparisons have two sides. What it does not have is an error of
the text there, while 1.0 may always mean something in SMT-LIB that is not modelled here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_SPACE = r"(?:[ \t\r\n\f\v]|;[^\n]*)*+"
_INDEX = r"\[(?:[0-9, \t\r\n\f\v-]|;[^\n]*)*+\]"
# A name and its index are one token, whatever stands between them; "Real [5]" is read the same way.
# An exponent is no part of the grammar, but of what tools write and what numbers mean.
_VERSION_2_TOKENS = rf"""
    ;[^\n]*
  | (?P<token>
        [()]
      | (?:declare-(?:network|input|hidden|output)|equal-to|isomorphic-to|vnnlib-version)
            (?![A-Za-z0-9_])
      | [A-Za-z][A-Za-z0-9_]*+(?:{_SPACE}{_INDEX})?
      | -?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?
      | <[0-9]++\.[0-9]++>
      | <= | >= | == | != | [<>=+*-]
      | "(?:[^"\\\n]|\\["\\tnrf])*+"
    )
  | (?P<bad>[^ \t\r\n\f\v])
"""

Relation = Literal["<", "<=", ">", ">=", "=", "!="]


@dataclass(frozen=True)
class Dialect:
    """The words of one version.

    Attributes:
        name: The version, for messages.
        tokens: Matches a comment, or a token in group ``token``, or in group ``bad`` a character
            that starts none. What it does not match is white space.
        bad: What a bad character means.
        comparisons: The relation that each comparison stands for.
        operators: Operators of terms.
        chains: Whether a comparison may have more than two sides.
        has_logic: Whether there are ``not``, ``true`` and ``false``.
        is_closed: Whether the words here are all there are: another one is an error of the text.
    """

    name: str
    tokens: re.Pattern[str]
    bad: str
    comparisons: dict[str, Relation]
    operators: tuple[str, ...]
    chains: bool
    has_logic: bool
    is_closed: bool


VERSION_1 = Dialect(
    name="VNN-LIB 1.0",
    tokens=re.compile(r""";[^\n]*|(?P<token>[()]|[^ \t\r\n\f\v();"|]+)|(?P<bad>["|])"""),
    bad="starts a string or quoted symbol; neither occurs in VNN-LIB",
    comparisons={"<=": "<=", ">=": ">=", "<": "<", ">": ">", "=": "="},
    operators=("+", "-", "*", "/"),
    chains=True,
    has_logic=True,
    is_closed=False,
)
VERSION_2 = Dialect(
    name="VNN-LIB 2.0",
    tokens=re.compile(_VERSION_2_TOKENS, re.VERBOSE),
    bad="starts no word of VNN-LIB 2.0",
    # The text of the standard has "=" where its grammar has "==".
    comparisons={"<=": "<=", ">=": ">=", "<": "<", ">": ">", "==": "=", "=": "=", "!=": "!="},
    operators=("+", "-", "*"),
    chains=False,
    has_logic=False,
    is_closed=True,
)
