"""Linear layers by oneDNN against float64 products and PyTorch's own models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from unprompt._compute import linear as module
from unprompt._compute.linear import linear, product, quick_linear


@pytest.fixture(params=[False, True], ids=["own", "onednn"])
def route(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both routes, whatever the processor is."""
    if request.param and not module._has_operation():
        pytest.skip("this PyTorch has no such operation")
    monkeypatch.setattr(module, "_onednn_is_quicker", lambda: request.param)
    yield


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize("shape", [(5,), (7, 5), (2, 3, 5), (0, 5)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_it_is_a_product_and_a_sum(shape: tuple[int, ...], with_bias: bool) -> None:
    import torch

    torch.manual_seed(0)
    states, weight = torch.randn(shape), torch.randn(4, 5)
    bias = torch.randn(4) if with_bias else None
    exact = states.double() @ weight.double().T + (0 if bias is None else bias.double())
    with torch.no_grad():
        made = linear(states, weight, bias)
    assert made.dtype == torch.float32 and made.shape == exact.shape
    torch.testing.assert_close(made.double(), exact, rtol=0, atol=2e-6)


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_gelu_may_follow(kind: str) -> None:
    import torch

    torch.manual_seed(0)
    states, weight, bias = (
        torch.randn(shape).to(getattr(torch, kind)) for shape in [(7, 5), (4, 5), (4,)]
    )
    with torch.no_grad():
        made = linear(states, weight, bias, gelu=True)
    assert made.dtype == states.dtype
    sums = states.double() @ weight.double().T + bias.double()
    exact = sums * (1 + torch.special.erf(sums / 2**0.5)) / 2  # Hendrycks and Gimpel 2016
    error = 2e-6 if kind == "float32" else 2**-7 * float(exact.abs().max())
    torch.testing.assert_close(made.double(), exact, rtol=0, atol=error)


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_inner_products_are_put_where_they_belong(kind: str) -> None:
    import torch

    torch.manual_seed(0)
    rows = torch.randn(7, 5).to(getattr(torch, kind))
    others = torch.randn(4, 5).to(rows.dtype)
    room = torch.full((9, 4), 3.0, dtype=rows.dtype)
    product(rows, others, room[1:8])
    exact = rows.double() @ others.double().T
    error = 2e-6 if kind == "float32" else 2**-8 * float(exact.abs().max())
    torch.testing.assert_close(room[1:8].double(), exact, rtol=0, atol=error)
    assert room[[0, 8]].eq(3).all()
    assert not room.requires_grad


@pytest.mark.usefixtures("route")
def test_gradients_and_autocast_are_left_to_pytorch() -> None:
    import torch

    states, weight = torch.ones(2, 3), torch.full((4, 3), 2.0, requires_grad=True)
    torch.autograd.backward(linear(states, weight).sum())
    assert weight.grad is not None and weight.grad.tolist() == [[2.0] * 3] * 4
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert linear(states, weight).dtype == torch.bfloat16


@pytest.mark.usefixtures("route")
@pytest.mark.parametrize("mask", ["none", "causal", "of each head"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_attention_of_other_peoples_models_is_theirs(mask: str, batch_first: bool) -> None:
    import torch

    torch.manual_seed(0)
    attention = torch.nn.MultiheadAttention(16, 4, batch_first=batch_first).eval()
    torch.nn.init.normal_(attention.in_proj_bias)
    torch.nn.init.normal_(attention.out_proj.bias)
    states = torch.randn(3, 5, 16) if batch_first else torch.randn(5, 3, 16)
    causal = torch.full((5, 5), -torch.inf).triu(1)
    given = {"none": None, "causal": causal, "of each head": causal + torch.randn(12, 5, 5)}[mask]
    double = torch.nn.MultiheadAttention(16, 4, batch_first=batch_first).eval().double()
    double.load_state_dict({name: value.double() for name, value in attention.state_dict().items()})
    wide = states.double()
    wide_mask = None if given is None else given.double()
    exact, _ = double(wide, wide, wide, need_weights=False, attn_mask=wide_mask)
    with torch.no_grad(), quick_linear():
        made, weights = attention(states, states, states, need_weights=False, attn_mask=given)
    assert weights is None
    torch.testing.assert_close(made.double(), exact, rtol=0, atol=5e-6)


@pytest.mark.usefixtures("route")
def test_what_is_not_usual_in_attention_is_left_to_pytorch() -> None:
    import torch

    torch.manual_seed(0)
    attention = torch.nn.MultiheadAttention(16, 4, batch_first=True).eval()
    states, others = torch.randn(3, 5, 16), torch.randn(3, 2, 16)
    padding = torch.tensor([[False, False, False, True, True]] * 3)
    for keys, how in [
        (others, {}),
        (states, {"key_padding_mask": padding}),
        (states, {"attn_mask": torch.ones(5, 5, dtype=torch.bool).triu(1)}),
    ]:
        with torch.no_grad():
            theirs = attention(states, keys, keys, **how)
            with quick_linear():
                made = attention(states, keys, keys, **how)
        for left, right in zip(made, theirs, strict=True):
            torch.testing.assert_close(left, right, rtol=0, atol=2e-6)


def test_other_peoples_linear_layers_go_that_way(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if not module._has_operation():
        pytest.skip("this PyTorch has no such operation")
    monkeypatch.setattr(module, "_onednn_is_quicker", lambda: True)
    model = torch.nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval()
    kinds = [torch.profiler.ProfilerActivity.CPU]
    with torch.no_grad(), quick_linear(), torch.profiler.profile(activities=kinds) as seen:
        model(torch.randn(2, 3, 16))
    calls = {event.key: event.count for event in seen.key_averages()}
    assert calls["mkldnn::_linear_pointwise"] == 4  # attention's two, and two more
    assert not calls.keys() & {"aten::addmm", "aten::linear"}


def test_default_type_of_the_caller_does_not_hide_the_operation() -> None:
    import torch

    known = module._has_operation()
    torch.set_default_dtype(torch.float64)
    try:
        assert module._has_operation() == known
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(("vendor", "amd"), [("AuthenticAMD", True), ("GenuineIntel", False)])
def test_the_maker_of_the_processor_decides(
    vendor: str, amd: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(module, "_CPUINFO", path)
    assert not module._is_amd()  # no such file, as outside Linux
    path.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\n")
    assert module._is_amd() == amd
