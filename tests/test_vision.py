"""Image features: the stand-in, and DINOv2's code path on a tiny DINOv2."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from newt_bench.errors import InputError
from newt_bench.vision import IMAGE_FEATURES, DinoEncoder, PooledImageEncoder, image_encoder


def test_the_stand_in_averages_cells():
    frames = np.zeros((2, 224, 224, 3), np.uint8)
    frames[1, :14, 14:28] = (255, 0, 51)
    features = PooledImageEncoder()(frames).reshape(2, 16, 16, 3)
    black = -np.array([0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(features[0], np.broadcast_to(black, (16, 16, 3)), rtol=1e-5)
    cell = (np.array([1, 0, 0.2]) - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(features[1, 0, 1], cell, rtol=1e-4)
    np.testing.assert_allclose(features[1, 1, 0], black, rtol=1e-5)
    with pytest.raises(InputError, match="16 n pixels a side, not 50"):
        PooledImageEncoder()(frames[:, :50, :50])


def test_what_cannot_be_had_is_said_loudly(caplog):
    def build():
        raise ImportError("No module named 'transformers'")

    with caplog.at_level(logging.WARNING):
        assert image_encoder(build).name == "pooled-16x16"
    assert "DINOv2 cannot be had (ImportError: No module named 'transformers')" in caplog.text
    assert image_encoder(PooledImageEncoder).name == "pooled-16x16"


def test_dino_is_the_class_token(tmp_path):
    from transformers import Dinov2Config, Dinov2Model

    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=IMAGE_FEATURES,
        num_hidden_layers=1,
        num_attention_heads=2,
        mlp_ratio=1,
        image_size=28,
        patch_size=14,
    )
    model = Dinov2Model(config).eval()
    model.save_pretrained(tmp_path)
    frames = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 3), dtype=np.uint8)
    features = DinoEncoder(str(tmp_path))(frames)
    assert features.shape == (2, IMAGE_FEATURES)
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2) / 255 - torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    with torch.no_grad():
        wanted = model(pixels / torch.tensor([0.229, 0.224, 0.225])[:, None, None]).last_hidden_state[:, 0]
    np.testing.assert_allclose(features, wanted, rtol=1e-4, atol=1e-4)
