"""The words of the page: every one of them in every language, and what is said without one."""

import pytest

from quantcore.explore import labels
from quantcore.explore.labels import LANGUAGES, describe, label, option


@pytest.fixture(autouse=True)
def english():
    labels.set_language("en")


@pytest.mark.parametrize("catalogue", ["LABELS", "SWITCHES", "OPTIONS", "FIGURES", "SAID"])
def test_every_word_is_said_in_every_language(catalogue):
    entries = getattr(labels, catalogue)
    for words in [entries] if catalogue == "SAID" else entries.values():
        assert set(words) == set(LANGUAGES) and all(words.values())


def test_values_without_words_stay_and_unknown_figures_are_called_by_their_names():
    assert (option(8), option("FP4 E2M1"), option("per group")) == ("8", "FP4 E2M1", "per group")
    said = describe("mine", {"bits": 3, "symmetric": True}, "s = 1   z = 0")
    assert said == "mine. Chosen: bit width b = 3, symmetric. Measured: s = 1, z = 0."


@pytest.mark.parametrize("ask", [label, lambda key: describe("mine", {key: 3}, "")])
def test_a_control_without_a_label_is_named(ask):
    with pytest.raises(LookupError, match="'colour' has no words: add it to LABELS"):
        ask("colour")
