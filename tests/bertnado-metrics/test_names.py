"""What is suggested for a name that nobody knows."""

import pytest
from bertnado_metrics import did_you_mean, nearest
from hypothesis import given
from hypothesis import strategies as st

FIELDS = ("learning_rate", "weight_decay", "num_train_epochs", "warmup_steps")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("learning_rate", "learning_rate"),
        ("learning_rat", "learning_rate"),
        ("LearningRate", "learning_rate"),
        ("Learning-Rate", "learning_rate"),
        ("weight.decay", "weight_decay"),
        ("warmup", "warmup_steps"),
        ("war", "warmup_steps"),
        ("wa", None),
        ("xyz", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_found_past_case_signs_slips_and_abbreviation(name, expected):
    assert nearest(name, FIELDS) == expected


def test_nothing_is_near_where_there_is_no_choice():
    assert nearest("anything", []) is None


@given(st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), min_size=1, unique=True), st.data())
def test_a_choice_is_nearest_to_itself(choices, data):
    name = data.draw(st.sampled_from(choices))
    assert nearest(name, choices) == name


def test_an_unknown_name_is_answered_with_the_nearest_and_all_choices():
    assert did_you_mean("maximun", ["maximize", "minimize"]) == "did you mean 'maximize'? (maximize, minimize)"


def test_without_a_near_name_all_choices_are_listed():
    assert did_you_mean("xyz", iter(FIELDS)) == (
        "choose from learning_rate, weight_decay, num_train_epochs, warmup_steps"
    )


def test_a_caller_who_knows_better_makes_the_suggestion():
    assert did_you_mean("lr", FIELDS[:2], suggestion="learning_rate") == (
        "did you mean 'learning_rate'? (learning_rate, weight_decay)"
    )
