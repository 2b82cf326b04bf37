"""A recorded conversation as an `.http` file; `journey_http_file.py` has httpYac run one."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from catshop.inspector.httpfile import OPENING, httpfile, literally
from tests.inspector.test_curl import TALK


def test_what_an_answer_gave_is_a_variable_of_later_requests() -> None:
    """No mark of a secret is left, and what nobody uses is not read."""
    file = "\n".join(httpfile(TALK))
    assert file.startswith(OPENING)
    assert "‹" not in file
    assert (
        """
# @no-redirect
# @no-cookie-jar
POST {{BASE}}/token
Content-Type: application/x-www-form-urlencoded

code={{encodeURIComponent(CODE)}}&code_verifier={{encodeURIComponent(VERIFIER)}}\
&resource={{encodeURIComponent(BASE)}}%2Fmcp

?? status == 200
{{
exports.ACCESS_TOKEN = found(response.body, /"access_token" *: *"([^"]*)/g, 1);
}}
"""
        in file
    )
    assert "REFRESH_TOKEN" not in file


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text('{}#\n<>?@ a"\\'))
def test_whatever_the_format_would_take_for_its_own_is_a_literal(text: str) -> None:
    """It stays in its line; expressions are strings; two opening braces are parted by a space."""
    line = literally(text)
    assert line.isascii()
    assert line.isprintable()
    literals = r'\{\{("(?:[^"\\{}]|\\.)*")\}\}'
    assert "{{" not in re.sub(literals, "", line)
    assert re.sub(literals, lambda found: str(json.loads(found[1])), line) == re.sub(
        r"(?<=\{)\{", " {", text
    )
