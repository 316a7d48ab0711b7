"""The search finds what it must: else finding nothing would say nothing."""

from __future__ import annotations

import base64
import json
import textwrap

import pytest

from tests.secrets.treasure import Treasure, punctuated, random_word, spellings

SECRETS = {"punctuated": punctuated(), "random": random_word()}


@pytest.mark.parametrize("what", SECRETS)
def test_each_spelling_is_found_within_other_words(what: str) -> None:
    treasure = Treasure({what: SECRETS[what]})
    for how, spelt in spellings(SECRETS[what]):
        assert treasure.found_in(b"before " + spelt + b" after"), how
    assert not treasure.found_in(b"nothing here but punctuation: !\"#$%&'()*+,-./:;<=>?@[]^_`{|}~")


@pytest.mark.parametrize("what", SECRETS)
def test_a_part_is_found_and_one_that_is_split_over_lines(what: str) -> None:
    secret = SECRETS[what]
    treasure = Treasure({what: secret})
    assert treasure.found_in(secret[:26])
    assert treasure.found_in(secret[-30:])
    boxed = "\n".join(f"│ {line} │" for line in textwrap.wrap(secret, 9))
    assert treasure.found_in(f"┌────┐\n{boxed}\n└────┘")


@pytest.mark.parametrize("ahead", range(4))
def test_a_secret_within_base64_is_found(ahead: int) -> None:
    secret = random_word()
    packed = base64.b64encode(b"x" * ahead + json.dumps({"password": secret}).encode())
    assert Treasure({"it": secret}).found_in(packed)
