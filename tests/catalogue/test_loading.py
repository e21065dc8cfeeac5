"""Schema errors name the file, the task and the field."""

from __future__ import annotations

from pathlib import Path

import pytest

from newt_bench.catalogue.loading import parse_domain_file
from newt_bench.errors import CatalogueError

GOOD = """
[domain]
title = "Toys"
extra = "toys"
packages = ["toy"]

[embodiments]
cart = "A cart that one force pushes."

[defaults]
split = "core"
action_repeat = 2

[tasks.cart-push]
instruction = "Push the cart to the wall."
paraphrases = ["Shove the cart to the wall.", "Move it wallward.", "Bring it to the wall.", "Drive it there."]
embodiment = "cart"
simulator_id = "cart/push"
settings = { camera = 1, mode = "fast" }
action_dim = 1
obs_dim = 4
max_episode_steps = 100
score = { kind = "return", low = 0, high = 100, clip = true }
tags = ["wheeled", "pushing"]
"""


def parse(tmp_path: Path, text: str):
    path = tmp_path / "toys.toml"
    path.write_text(text, encoding="utf-8")
    return parse_domain_file(path)


def test_good_file(tmp_path):
    domain, (task,) = parse(tmp_path, GOOD)
    assert (domain.name, domain.extra, domain.packages) == ("toys", "toys", ("toy",))
    assert (task.name, task.id, task.domain) == ("cart-push", "newt/cart-push-v0", "toys")
    assert task.action_repeat == 2
    assert task.text == "A cart that one force pushes. Push the cart to the wall."
    assert task.tags == ("pushing", "wheeled")
    assert task.settings == {"camera": 1, "mode": "fast"}
    assert task.discount == 0.95
    assert task.score(50, float("nan")) == 0.5
    assert task.score(1000, float("nan")) == 1.0


BROKEN = {
    "not TOML": (lambda s: s + "]", "not valid TOML"),
    "unknown table": (lambda s: s + "[extras]\n", r"unknown table \[extras\]"),
    "missing domain field": (lambda s: s.replace('title = "Toys"', ""), r"\[domain\]: field 'title'"),
    "unknown domain field": (lambda s: s.replace('title = "Toys"', 'title = "Toys"\nurl = ""'), r"'url'"),
    "unknown field": (lambda s: s + "colour = 1\n", "task 'cart-push': unknown field 'colour'"),
    "missing field": (lambda s: s.replace("obs_dim = 4", ""), "task 'cart-push': field 'obs_dim' is missing"),
    "wrong type": (lambda s: s.replace("obs_dim = 4", 'obs_dim = "4"'), "field 'obs_dim' must be of type int"),
    "bool as int": (lambda s: s.replace("obs_dim = 4", "obs_dim = true"), "field 'obs_dim' must be of type int"),
    "list of numbers": (lambda s: s.replace('["wheeled", "pushing"]', "[1]"), "field 'tags' must be a list of str"),
    "unknown embodiment": (lambda s: s.replace('embodiment = "cart"', 'embodiment = "car"'), r"'car' is not in"),
    "too many actions": (lambda s: s.replace("action_dim = 1", "action_dim = 17"), r"field 'action_dim'.*1\.\.16"),
    "no steps": (lambda s: s.replace("max_episode_steps = 100", "max_episode_steps = 0"), "'max_episode_steps'"),
    "bad split": (lambda s: s.replace('split = "core"', 'split = "train"'), "field 'split'"),
    "bad discount": (lambda s: s + "discount = 1\n", "field 'discount'"),
    "score bounds": (lambda s: s.replace("high = 100", "high = 0"), "field 'score'"),
    "score kind": (lambda s: s.replace('kind = "return"', 'kind = "best"'), "field 'score'"),
    "score entry": (lambda s: s.replace("low = 0", "lo = 0"), "field 'score': unknown entry 'lo'"),
    "score entry type": (lambda s: s.replace("low = 0", 'low = "0"'), "field 'score': 'low' must be of type float"),
    "three paraphrases": (lambda s: s.replace(', "Drive it there."', ""), "field 'paraphrases': needs 4"),
    "twin paraphrases": (lambda s: s.replace("Drive it there.", "Move it wallward."), "field 'paraphrases'"),
    "no sentence": (lambda s: s.replace("Push the cart to the wall.", "push the cart"), "field 'instruction'"),
    "lite but held out": (lambda s: s.replace('"core"', '"heldout"') + 'lite = "Easy."\n', "field 'lite'"),
    "bad name": (lambda s: s.replace("[tasks.cart-push]", "[tasks.Cart_push]"), "lower-case"),
    "anchor": (lambda s: s + "random_return = { mean = 1 }\n", "field 'random_return': entry 'sem' is missing"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_name_file_task_and_field(tmp_path, case):
    damage, message = BROKEN[case]
    with pytest.raises(CatalogueError, match=message) as caught:
        parse(tmp_path, damage(GOOD))
    assert str(caught.value).startswith("toys.toml: ")
