"""Heads: what torch trains and what NumPy predicts are the same function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch  # noqa: TID253  # every test here computes with it
from pydantic import TypeAdapter, ValidationError
from safetensors.numpy import load_file, save_file

from unprompt.errors import DataError
from unprompt.train.heads import (
    FILE,
    FoldedHead,
    Head,
    LinearHead,
    MlpHead,
    build_head,
    fill_linear,
    folded,
)


def trained_mlp() -> torch.nn.Module:
    """With statistics and scales that a training could have left."""
    torch.manual_seed(0)
    head = build_head(MlpHead(name="mlp", width=32), 6, 5)
    norm = head.get_submodule("norm")
    for name, value in norm.named_parameters():
        value.data.normal_(mean=float(name == "weight"))
    for _ in range(5):  # moves the running statistics
        head(3 * torch.randn(40, 6) + 1)
    return head.eval()


def test_a_name_is_a_head() -> None:
    read = TypeAdapter(Head).validate_python
    assert read("mlp") == MlpHead(name="mlp", width=16384)
    assert read("linear") == read({}) == LinearHead()
    with pytest.raises(ValidationError, match="belongs to `name: mlp`"):
        read({"name": "linear", "width": 3})


def test_the_mlp_is_the_winners() -> None:
    """``Linear -> BatchNorm -> ReLU -> Linear``, by hand."""
    head, features = trained_mlp(), torch.randn(7, 6)
    state = head.state_dict()
    hidden = features @ state["hidden.weight"].T + state["hidden.bias"]
    spread = (state["norm.running_var"] + 1e-5).sqrt()
    standard = (hidden - state["norm.running_mean"]) / spread
    standard = standard * state["norm.weight"] + state["norm.bias"]
    wanted = standard.clamp(min=0) @ state["fc.weight"].T + state["fc.bias"]
    torch.testing.assert_close(head(features), wanted)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_the_folded_head_predicts_what_torch_predicts(kind: str, tmp_path: Path) -> None:
    head = trained_mlp() if kind == "mlp" else build_head(LinearHead(), 6, 5).eval()
    features = torch.randn(7, 6)
    wanted = torch.nn.functional.normalize(head(features)).detach().numpy()
    folded(head).save(tmp_path)
    again = FoldedHead.read(tmp_path)
    assert (again.features, again.dim) == (6, 5)
    np.testing.assert_allclose(again.predict(features.numpy()), wanted, atol=1e-6)
    shapes = {name: value.shape for name, value in load_file(tmp_path / FILE).items()}
    own = {"fc.weight": (5, 6), "fc.bias": (5,)}
    if kind == "mlp":
        own = {"hidden.weight": (32, 6), "hidden.bias": (32,)} | {
            "fc.weight": (5, 32),
            "fc.bias": (5,),
        }
    assert shapes == own


def test_a_filled_layer_is_the_given_map() -> None:
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(6, 5)).astype(np.float32), np.arange(5, dtype=np.float32)
    features = rng.normal(size=(3, 6)).astype(np.float32)
    head = build_head(LinearHead(), 6, 5)
    fill_linear(head, weight, bias)
    got = head(torch.from_numpy(features)).detach().numpy()
    np.testing.assert_allclose(got, features @ weight + bias, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden.weight": None}, "holds no 'hidden.weight'"),
        ({"fc.weight": np.zeros((5, 31), np.float32)}, "'fc.weight' is of shape"),
        ({"hidden.bias": np.full(32, np.nan, np.float32)}, "not finite"),
    ],
)
def test_a_damaged_file_is_one_clear_line(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    folded(trained_mlp()).save(tmp_path)
    state = {**load_file(tmp_path / FILE), **changes}
    save_file({k: v for k, v in state.items() if v is not None}, tmp_path / FILE)  # type: ignore[misc]  # arrays
    with pytest.raises(DataError, match=message):
        FoldedHead.read(tmp_path)


def test_a_head_for_others_is_refused(tmp_path: Path) -> None:
    head = folded(trained_mlp())
    with pytest.raises(DataError, match="takes features of 6 numbers, not of 7"):
        head.check(tmp_path, features=7, target_dim=5)
    with pytest.raises(DataError, match="predicts rows of 5 numbers, not of 4"):
        head.check(tmp_path, features=6, target_dim=4)
    head.check(tmp_path, features=6, target_dim=None)
