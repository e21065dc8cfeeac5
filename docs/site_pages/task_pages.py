"""The gallery, a page per domain and a page per task, from the catalogue."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from newt_bench.catalogue import DOMAIN_NAMES, SPLITS, Domain, Task, TaskList, load_domain, tasks
from site_pages.sources import game_of, passages
from site_pages.writing import REPOSITORY, Writer, code, table

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["write"]

_ENTRY = re.compile(r"^\s+(\d+(?:[-, ]+\d+)*): (.*)$")


def write(writer: Writer, docs: Path) -> None:
    """Writes `index.md`, the gallery; `<domain>.md` for each domain and `<task>.md` for each task.

    A task's picture is that of `docs/pictures/<domain>/`, where `make pictures` wrote one, else the small still that is
    kept in `docs/stills/<domain>/`; a task with neither has none.
    """
    pages = _Pages(docs)
    names = ["index.md"]
    writer.write("index.md", pages.gallery())
    for name in DOMAIN_NAMES:
        writer.write(f"{name}.md", pages.domain(load_domain(name)))
        names.append(f"{name}.md")
        for task in tasks(domain=name):
            writer.write(f"{task.name}.md", pages.task(task))
            names.append(f"{task.name}.md")
    writer.remove_others(names)


class _Pages:
    """Makes the pages' text.

    Args:
        docs: The folder of the site's sources.
    """

    def __init__(self, docs: Path) -> None:
        self._docs = docs
        self._spaces = json.loads((docs / "data" / "spaces.json").read_text(encoding="utf-8"))
        self._domains = tomllib.loads((docs / "data" / "domains.toml").read_text(encoding="utf-8"))
        text = (docs / "domains.md").read_text(encoding="utf-8")
        parts = re.split(r"^## ([a-z0-9-]+)\n", text, flags=re.MULTILINE)
        self._notes = dict(zip(parts[1::2], parts[2::2], strict=True))

    def gallery(self) -> str:
        """All tasks, domain by domain."""
        size = {split: len(tasks(split=split)) for split in SPLITS}
        text = (
            "# Task gallery\n\n"
            f"{len(tasks())} tasks: {size['core']} core ones to train on, {size['heldout']} held-out ones to adapt to; "
            f"{size['lite']} of the core are the `lite` split, for one machine. Made from the catalogue, as every page "
            "of a task and of a domain is.\n\n"
        )
        text += self._about_pictures(tasks())
        text += "```{toctree}\n:hidden:\n\n" + "\n".join(DOMAIN_NAMES) + "\n```\n"
        for name in DOMAIN_NAMES:
            text += f"\n## [{load_domain(name).title}]({name}.md)\n\n" + self._tiles(tasks(domain=name))
        return text

    def _about_pictures(self, members: TaskList) -> str:
        missing = sum(not self._image(task) for task in members)
        text = "Pictures show a random policy."
        if missing:
            text += (
                f" {missing} tasks have none: they need files that are not part of this project. "
                "`newt-bench assets download` fetches them, and `make pictures` then draws these tasks, too."
            )
        return text + "\n\n"

    def domain(self, domain: Domain) -> str:
        """One domain: how it is installed and played, and its tasks."""
        members = tasks(domain=domain.name)
        split = {kind: sum(task.split == kind for task in members) for kind in ("core", "heldout")}
        text = f"# {domain.title}\n\n"
        text += f"{split['core']} core and {split['heldout']} held-out tasks. " if split["heldout"] else ""
        text += f"{split['core']} core tasks. " if not split["heldout"] else ""
        text += f'Install it with `pip install "newt-bench[{domain.extra}]"`'
        links = self._links(domain.name)
        text += (f"; the simulator's own documentation: {links}" if links else "") + ".\n\n"
        # In `docs/` links start there, on this page one folder below.
        text += re.sub(r"\]\((?!https?:|#)", "](../", self._notes[domain.name]).strip() + "\n\n"
        text += "## Tasks\n\n" + self._about_pictures(members) + self._tiles(members) + "\n"
        rows = [
            (
                f"[{task.name}]({task.name}.md)",
                task.split + (", lite" if task.lite else ""),
                task.obs_dim,
                task.action_dim,
                task.max_episode_steps,
                "success" if task.has_success else "return",
            )
            for task in members
        ]
        return text + table(("task", "split", "observation", "actions", "steps", "score from"), rows)

    def _tiles(self, members: TaskList) -> str:
        lines = [f"- [{self._image(task)}{task.name}]({task.name}.md)" for task in members]
        return "::::{container} gallery\n" + "\n".join(lines) + "\n::::\n"

    def _image(self, task: Task, moving: bool = False) -> str:
        places = [("pictures", ".gif")] if moving else []
        for folder, suffix in (*places, ("pictures", ".png"), ("stills", ".webp")):
            path = self._docs / folder / task.domain / (task.name + suffix)
            if path.is_file():
                return f"![{task.name}](../{folder}/{task.domain}/{path.name})"
        return ""

    def _links(self, domain: str) -> str:
        return ", ".join(f"[{title}]({address})" for title, address in self._domains[domain]["documentation"])

    def task(self, task: Task) -> str:
        """One task."""
        image = self._image(task, moving=True)
        sections = [
            "---\norphan: true\n---\n",
            f"# {task.name}\n",
            f"*{task.instruction}*\n",
            *([image + "{.shot}\n"] if image else []),
            self._facts(task),
            f'```python\nimport gymnasium\nimport newt_bench\n\nenv = gymnasium.make("{task.id}")\n```\n',
            self._rules(task),
            self._observation(task),
            self._actions(task),
            self._reward(task),
            _score(task),
            self._language(task),
        ]
        return "\n".join(sections)

    def _facts(self, task: Task) -> str:
        domain = load_domain(task.domain)
        rows = [
            ("domain", f"[{domain.title}]({task.domain}.md)"),
            ("split", task.split + (f", lite ({task.lite})" if task.lite else "")),
            ("simulator's name", code(task.simulator_id)),
            ("settings", ", ".join(code(f"{key} = {value}") for key, value in task.settings.items())),
            ("horizon", f"{task.max_episode_steps} agent steps, always; {_repeats(task)}"),
            ("discount", f"{task.discount:.4g} for agents that use one"),
            ("starts", "every episode starts alike" if task.fixed_start else "drawn from the seed of the episode"),
            ("needs a renderer", "yes, even for states" if task.needs_renderer else ""),
            ("downloads", ", ".join(map(code, task.assets)) + " (`newt-bench assets download`)" if task.assets else ""),
            ("tags", ", ".join(task.tags)),
            ("provenance", _PROVENANCE[task.provenance]),
        ]
        return table(("", ""), [row for row in rows if row[1]])

    def _rules(self, task: Task) -> str:
        text = "## What it is\n\n"
        read = []
        for passage in passages(task):
            if passage.is_code:
                text += f"```python\n{passage.text}\n```\n\n"
            else:
                body = "\n\n".join(_paragraphs(passage.text, of_observation=False))
                text += body + "\n\n" if body else ""
            read.append(f"[{passage.path}]({REPOSITORY}/blob/main/{passage.path})")
        links = self._links(task.domain)
        text += f"From the code: {', '.join(dict.fromkeys(read))}."
        return text + (f" The simulator's own documentation: {links}.\n" if links else "\n")

    def _observation(self, task: Task) -> str:
        text = f"## Observation\n\n`Box(-inf, inf, ({task.obs_dim},), float32)`\n\n"
        if task.domain == "miniarcade":
            return text + "\n\n".join(_paragraphs(passages(task)[0].text, of_observation=True)) + "\n"
        rows, start = [], 0
        for name, size in self._spaces[task.name]["observation"]:
            rows.append((start if size == 1 else f"{start}-{start + size - 1}", size, name))
            start += size
        return text + table(("entries", "number", "what"), rows)

    def _actions(self, task: Task) -> str:
        text = f"## Actions\n\n`Box(-1, 1, ({task.action_dim},), float32)`\n\n"
        if task.domain == "miniarcade":
            return text + _keys(task)
        return text + table(("entry", "what"), enumerate(self._spaces[task.name]["action"]))

    def _reward(self, task: Task) -> str:
        texts = self._domains[task.domain]["reward"]
        key = max((key for key in texts if task.simulator_id.startswith(key)), key=len)
        told = texts[key].format(id=task.simulator_id, repeat=task.action_repeat)
        text = f"## Reward\n\n{told}\n"
        for policy, anchor in (
            ("uniform random policy", task.random_return),
            ("scripted expert", task.scripted_return),
        ):
            if anchor:
                text += (
                    f"\nThe {policy} has a mean return of {anchor.mean:.4g} ± {anchor.sem:.2g} (mean and standard "
                    f"error of {anchor.episodes} episodes, measured by this project).\n"
                )
        return text

    def _language(self, task: Task) -> str:
        lines = [
            f"- {kind}: {text}"
            for kind, text in (
                ("body", task.embodiment),
                ("instruction", task.instruction),
                *(("paraphrase", sentence) for sentence in task.paraphrases),
            )
        ]
        return "## Language\n\n" + "\n".join(lines) + "\n"


_PROVENANCE = {
    "release": "follows the published benchmark",
    "newt-bench": "defined by this project; do not compare scores with published ones",
}


def _repeats(task: Task) -> str:
    return "one simulator step each" if task.action_repeat == 1 else f"{task.action_repeat} simulator steps each"


def _score(task: Task) -> str:
    text = "## Success and score\n\n"
    if task.has_success:
        return text + 'The score of an episode is `info["success"]` at its last step: 0 or 1.\n'
    low, high = task.score.low, task.score.high
    scaled = f"return / {high:g}" if low == 0 else f"(return - {low:g}) / {high - low:g}"
    scaled = scaled.replace("- -", "+ ")
    clipped = ", clipped to [0, 1]" if task.score.clip else ", which cannot leave [0, 1]"
    return text + f'The task defines no success: `info["success"]` is NaN. The score is {scaled}{clipped}.\n'


def _paragraphs(text: str, *, of_observation: bool) -> Iterator[str]:
    """Those paragraphs of a docstring that describe the observation, or the others; lists of entries as tables."""
    for paragraph in text.split("\n\n"):
        if (re.match(r"Observations? ?\(", paragraph) is not None) == of_observation:
            yield _as_table(paragraph) if of_observation else paragraph


def _as_table(paragraph: str) -> str:
    first, *lines = paragraph.splitlines()
    rows: list[list[str]] = []
    rest: list[str] = []
    for line in lines:
        entry = _ENTRY.match(line)
        if entry:
            rows.append([entry[1], entry[2]])
        elif rows:
            rows[-1][1] += " " + line.strip()
        else:
            rest.append(line)
    if not rows:
        return paragraph
    return first + "\n\n" + table(("entries", "what"), rows)


def _keys(task: Task) -> str:
    """A game's actions by the keys that people play it with."""
    keys: dict[int, list[str]] = {}
    for key, (index, value) in game_of(task).controls.items():
        if index < task.action_dim:
            keys.setdefault(index, []).append(f"{key} {value:+g}")
    text = "Keys of `newt-bench play`, and the value that the entry has while one is held:\n\n"
    return text + table(
        ("entry", "keys"), [(index, ", ".join(keys.get(index, ["-"]))) for index in range(task.action_dim)]
    )
