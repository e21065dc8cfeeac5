"""Text embeddings: the stand-in, the cache, and CLIP's code path on a tiny CLIP."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch

import newt_bench
from newt_bench import language
from newt_bench.language import TEXT_FEATURES, CachedEncoder, ClipEncoder, HashEncoder, text_encoder

TASKS = newt_bench.tasks()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEWT_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "language"


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_hashed_texts_are_distinct_and_of_norm_15():
    embeddings = HashEncoder()([task.text for task in TASKS])
    assert embeddings.shape == (len(TASKS), TEXT_FEATURES)
    assert embeddings.dtype == np.float32
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx([15] * len(TASKS), rel=1e-5)
    similarity = embeddings @ embeddings.T / 225
    np.fill_diagonal(similarity, 0)
    assert similarity.max() < 0.995


def test_hashed_texts_that_share_words_are_near():
    run, walk, other = HashEncoder()(["Run forward, fast.", "run forward fast", "Open the drawer."])
    assert cosine(run, walk) == pytest.approx(1)
    assert abs(cosine(run, other)) < 0.3
    assert (HashEncoder()([""]) == 0).all()
    assert HashEncoder()([]).shape == (0, TEXT_FEATURES)


def test_hashed_texts_are_the_same_everywhere(run_python):
    code = "from newt_bench.language import HashEncoder; print(HashEncoder()(['Run.'])[0].tobytes().hex())"
    assert run_python(code, PYTHONHASHSEED="7").stdout.strip() == HashEncoder()(["Run."])[0].tobytes().hex()


def test_hashing_needs_no_package(run_python):
    code = """
import sys
for name in ("torch", "safetensors", "transformers"):
    sys.modules[name] = None
import newt_bench.language as language
print(language.text_encoder(["Run."])(["Run."]).shape)
"""
    child = run_python(code)
    assert child.stdout.strip() == "(1, 512)"
    assert "NOT comparable with ones from CLIP" in child.stderr


def test_paraphrases_are_embedded_too():
    task = newt_bench.get_task("walker-run")
    assert len(np.unique(HashEncoder()([task.instruction, *task.paraphrases]), axis=0)) == 5


class Counting:
    """Embeds texts by their lengths, and remembers which."""

    name = "counting"

    def __init__(self):
        self.seen = []

    def __call__(self, texts):
        self.seen.append(list(texts))
        return np.array([[len(t)] * TEXT_FEATURES for t in texts], np.float32)


def test_texts_are_embedded_once(cache):
    inner = Counting()
    encoder = CachedEncoder("a/b:c", lambda: inner, cache)
    assert encoder(["xx", "yyy", "xx"])[:, 0].tolist() == [2, 3, 2]
    assert encoder(["yyy", "zzzz"])[:, 0].tolist() == [3, 4]
    assert inner.seen == [["xx", "yyy"], ["zzzz"]]
    assert [p.name for p in cache.iterdir()] == ["a--b--c.safetensors"]
    again = CachedEncoder("a/b:c", lambda: pytest.fail("built"), cache)
    assert again(["zzzz", "xx"])[:, 0].tolist() == [4, 2]


def test_what_cannot_be_had_is_said_loudly(caplog):
    def build():
        raise OSError("no network\nand more")

    with caplog.at_level(logging.WARNING):
        encoder = text_encoder(["Run."], "some/clip", build)
    assert encoder.name == HashEncoder.name
    assert "some/clip cannot be had (OSError: no network)" in caplog.text
    caplog.clear()
    text_encoder(["Run."], HashEncoder.name, lambda: pytest.fail("built"))
    assert caplog.text == ""


def test_cached_texts_need_no_model(cache):
    text_encoder(["Run."], "some/clip", Counting)
    assert text_encoder(["Run."], "some/clip", lambda: pytest.fail("built")).name == "some/clip"


def test_a_read_only_home(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEWT_BENCH_CACHE", str(tmp_path / "file"))
    assert text_encoder(["Run."], "some/clip", Counting).name == "some/clip"


@pytest.fixture
def tiny_clip(tmp_path):
    """A CLIP text model of one small layer, at random, with a vocabulary of letters."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{c}</w>" for c in [*letters, "."]), "<|startoftext|>", "<|endoftext|>"]
    (tmp_path / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    folder = tmp_path / "clip"
    CLIPTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt")).save_pretrained(folder)
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=TEXT_FEATURES,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=77,
        bos_token_id=len(words) - 2,
        eos_token_id=len(words) - 1,
        pad_token_id=len(words) - 1,
    )
    torch.manual_seed(0)
    CLIPTextModel(config).save_pretrained(folder)
    return folder


def test_clip_is_the_mean_over_tokens(tiny_clip):
    from transformers import CLIPTextModel, CLIPTokenizer

    encoder = ClipEncoder(str(tiny_clip))
    texts = ["run fast.", "a much longer sentence than that."]
    embeddings = encoder(texts)
    assert embeddings.shape == (2, TEXT_FEATURES)
    np.testing.assert_array_equal(encoder(texts[:1])[0], embeddings[0])  # whatever the company
    tokens = CLIPTokenizer.from_pretrained(tiny_clip)(texts[0])["input_ids"]
    with torch.no_grad():
        states = CLIPTextModel.from_pretrained(tiny_clip)(torch.tensor([tokens])).last_hidden_state
    np.testing.assert_allclose(embeddings[0], states[0].mean(0), rtol=1e-5, atol=1e-6)
    assert len(encoder(["x" * 500])) == 1  # longer than the model reads


def test_clip_through_the_cache(tiny_clip, cache):
    encoder = text_encoder(["run."], str(tiny_clip))
    assert encoder.name == str(tiny_clip)
    assert len(list(cache.iterdir())) == 1
    assert language.CLIP_MODEL == "openai/clip-vit-base-patch32"
