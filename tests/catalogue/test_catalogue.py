"""The shipped catalogue: complete, equal to the benchmark's facts, and unambiguous as language."""

from __future__ import annotations

import collections
import copy
import dataclasses
import pickle

import gymnasium
import pytest

import newt_bench
from newt_bench.catalogue import DOMAIN_NAMES, Task, load_domain, task_index
from newt_bench.errors import InputError, UnknownTaskError
from tests.conftest import load_data

ALL = newt_bench.tasks()
FACTS = load_data("facts.json")
CORE_BY_DOMAIN = {
    "dmcontrol": 21,
    "dmcontrol-ext": 16,
    "metaworld": 49,
    "maniskill": 36,
    "mujoco": 6,
    "box2d": 8,
    "robodesk": 6,
    "ogbench": 12,
    "miniarcade": 19,
    "atari": 27,
}
NOT_COMPARABLE = {
    *(f"pygame-point-maze-var{k}" for k in (5, 6, 7, 8)),
    *(f"pygame-reacher-var{k}" for k in (1, 2)),
}


def test_counts():
    assert len(ALL) == 234
    core = collections.Counter(task.domain for task in newt_bench.tasks(split="core"))
    assert core == CORE_BY_DOMAIN
    assert sum(core.values()) == 200
    assert len(newt_bench.tasks(split="heldout")) == 34


def test_header_scan_finds_what_the_parser_finds():
    assert tuple(task_index()) == ALL.names
    assert {task.name: task.domain for task in ALL} == dict(task_index())


def test_every_id_is_registered_and_survives_a_json_round_trip():
    for task in ALL:
        spec = gymnasium.spec(task.id)
        assert gymnasium.envs.registration.EnvSpec.from_json(spec.to_json()) == spec
        assert spec.kwargs == {"task": task.name}


@pytest.mark.parametrize("task", ALL, ids=ALL.names)
def test_facts(task: Task):
    facts = FACTS.get(task.name)
    if facts is None:
        assert task.name in NOT_COMPARABLE
        return
    assert task.domain == facts["domain"]
    assert task.split == facts["split"]
    assert (task.action_dim, task.obs_dim) == (facts["action_dim"], facts["obs_dim"])
    assert (task.max_episode_steps, task.action_repeat) == (facts["max_episode_steps"], facts["action_repeat"])
    assert dataclasses.asdict(task.score) == facts["score"]
    assert list(task.assets) == facts["needs_assets"]
    if facts["discount"] is not None:
        assert task.discount == facts["discount"]


def test_facts_cover_all_but_the_tasks_defined_here():
    assert {task.name for task in ALL} - set(FACTS) == NOT_COMPARABLE
    assert {task.name for task in ALL if task.provenance == "newt-bench"} == NOT_COMPARABLE


@pytest.mark.parametrize("task", ALL, ids=ALL.names)
def test_language(task: Task):
    sentences = (task.instruction, *task.paraphrases, task.embodiment)
    assert len(set(sentences)) == 6
    for sentence in sentences:
        assert sentence.isascii()
        assert "  " not in sentence
        assert "newt" not in sentence.lower()
    # CLIP's text encoder reads 77 tokens; these limits keep every text well inside.
    for instruction in (task.instruction, *task.paraphrases):
        text = f"{task.embodiment} {instruction}"
        assert len(text.split()) <= 48
        assert len(text) <= 300


def test_no_two_tasks_share_a_text():
    texts = collections.Counter(
        f"{task.embodiment} {sentence}" for task in ALL for sentence in (task.instruction, *task.paraphrases)
    )
    assert [text for text, count in texts.items() if count > 1] == []


def test_lite_has_two_runnable_tasks_per_domain():
    lite = newt_bench.tasks(split="lite")
    assert collections.Counter(task.domain for task in lite) == dict.fromkeys(DOMAIN_NAMES, 2)
    for task in lite:
        assert task.split == "core"
        assert not task.assets
        assert task.lite.startswith(("Easy: ", "Hard: "))
    for domain in DOMAIN_NAMES:
        levels = {task.lite[:4] for task in lite if task.domain == domain}
        assert levels == {"Easy", "Hard"}, domain


def test_discount_heuristic():
    assert newt_bench.get_task("walker-run").discount == pytest.approx(0.99)
    assert newt_bench.get_task("mw-reach").discount == 0.95
    assert newt_bench.get_task("og-ant").discount == 0.99  # set in the catalogue; the heuristic says 0.995
    assert newt_bench.get_task("ms-pick-cube").discount == 0.95


def test_tasks_are_immutable_hashable_and_picklable():
    task = newt_bench.get_task("quadruped-run")
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.discount = 0.5
    with pytest.raises(TypeError):
        task.settings["camera"] = 0
    assert task.settings == {"camera": 2}
    for twin in (pickle.loads(pickle.dumps(task)), copy.deepcopy(task), dataclasses.replace(task)):
        assert twin == task
        assert hash(twin) == hash(task)


def test_queries():
    assert newt_bench.tasks(["walker-run", "newt/cup-catch-v0"]).names == ("walker-run", "cup-catch")
    assert {t.domain for t in newt_bench.tasks(domain=["mujoco", "box2d"])} == {"mujoco", "box2d"}
    both = newt_bench.tasks(tags=["legged", "backward"])
    assert both
    assert all({"legged", "backward"} <= set(task.tags) for task in both)
    table = str(newt_bench.tasks(split="lite")).splitlines()
    assert len(table) == 21
    assert table[0].split() == ["task", "domain", "split", "obs", "act", "steps"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: newt_bench.get_task("walker-rum"), "Did you mean 'walker-run'"),
        (lambda: newt_bench.tasks("newt/mw-reech-v0"), "'mw-reach'"),
        (lambda: newt_bench.tasks(domain="dm_control"), "Did you mean 'dmcontrol'"),
        (lambda: newt_bench.tasks(split="xyz"), "Known: core, heldout, lite"),
        (lambda: newt_bench.tasks(tags="leged"), "Did you mean 'legged'"),
    ],
)
def test_unknown_names_get_suggestions(call, message):
    with pytest.raises(InputError, match="There is no") as caught:
        call()
    assert message in str(caught.value)


def test_unknown_task_error_type():
    with pytest.raises(UnknownTaskError):
        newt_bench.get_task("xyzzy")


@pytest.mark.parametrize("domain", DOMAIN_NAMES)
def test_extras_exist(domain: str):
    from newt_bench.extras import extra_requirements

    assert extra_requirements(load_domain(domain).extra)
