"""Trained members: what is in the artifact is what was trained, and nothing else is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch  # noqa: TID253  # most tests here compute with it
from safetensors.torch import load_file

from unprompt.contracts import Images, TrainSet
from unprompt.embeddings import cosine, unit
from unprompt.errors import ConfigError, DataError
from unprompt.towers import ImageTower
from unprompt.types import FloatArray

from .conftest import COUNT, Colours, MakeMember, MakeTrain, Narrow, coloured

FAST: dict[str, Any] = {"epochs": 2, "learning_rate": 1e-3, "keep": "last"}
NAMES = ("clip-l14", "clip-l16-384")


def predictions(member: Any, images: Images) -> FloatArray:
    batches = list(member.predict(images))
    rows = {n: r for b in batches for n, r in zip(b.embeddings.ids, b.embeddings.rows, strict=True)}
    return np.stack([rows[name] for name in images.ids])


def prepared(member: Any, train: TrainSet, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    member.prepare(train, folder)
    return folder


def state(folder: Path) -> Mapping[str, torch.Tensor]:
    files = sorted(folder.glob("*.safetensors"))
    return {f"{path.name}:{k}": v for path in files for k, v in load_file(path).items()}


def own_network(name: str, folder: Path) -> Any:
    """The tower by its library alone."""
    if name == "clip-l14":
        from transformers import CLIPVisionModel

        return CLIPVisionModel.from_pretrained(folder)
    import timm

    model = timm.create_model(f"local-dir:{folder}", pretrained=False, num_classes=0)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model


def by_hand(name: str, tower: Path, artifact: Path, train: TrainSet, mean: Any, std: Any) -> Any:
    """Rows predicted by the libraries alone, from the files of the artifact."""
    network = own_network(name, tower)
    names = set(network.state_dict())
    changed = load_file(artifact / "tower.safetensors")
    assert set(changed) <= names
    network.load_state_dict(changed, strict=False)
    source = train.images.source
    assert isinstance(source, Colours)
    colours = torch.tensor([source.levels[image] for image in train.images.ids]) / 255
    flat = (colours - torch.tensor(mean)) / torch.tensor(std)
    pixels = flat[:, :, None, None].expand(-1, -1, 32, 32).contiguous()
    network.eval()
    with torch.no_grad():
        output = network(pixels)
    features = output.pooler_output if name == "clip-l14" else output
    head = load_file(artifact / "head.safetensors")
    if "hidden.weight" in head:
        hidden = features @ head["hidden.weight"].T + head["hidden.bias"]
        features = hidden.clamp(min=0)
    return torch.nn.functional.normalize(features @ head["fc.weight"].T + head["fc.bias"])


MEANS = {
    "clip-l14": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "clip-l16-384": ((0.5,) * 3, (0.5,) * 3),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "training",
    [
        {},
        {"head": {"name": "mlp", "width": 40, "epochs": 2, "batch_size": 16}},
        {"adapter": {"rank": 2, "dora": True}},
    ],
    ids=["plain", "mlp", "dora"],
)
def test_the_artifact_is_all_that_predicts(
    name: str,
    training: dict[str, Any],
    train: TrainSet,
    make_member: MakeMember,
    vision: Path,
    vit: Path,
    tmp_path: Path,
) -> None:
    member = make_member(name, **FAST, **training)
    artifact = prepared(member, train, tmp_path / "a")
    member.close()
    fresh = make_member(name, **FAST, **training)
    fresh.load(artifact)
    got = predictions(fresh, train.images)
    tower = vision if name == "clip-l14" else vit
    wanted = by_hand(name, tower, artifact, train, *MEANS[name])
    np.testing.assert_allclose(got, wanted.numpy(), atol=2e-5)
    if "adapter" in training:
        assert all(key.endswith(".weight") for key in load_file(artifact / "tower.safetensors"))
    assert sorted(path.name for path in (artifact / "training").iterdir()) == [
        "README.md",
        "metrics.jsonl",
    ]


def test_fine_tuning_beats_its_probe(
    make_train: MakeTrain, make_member: MakeMember, tmp_path: Path
) -> None:
    """On images that neither has seen; colours are no linear function of a random tower."""
    colours = coloured(400)
    source = colours.source
    assert isinstance(source, Colours)
    levels = np.array([source.levels[name] for name in colours.ids]) / 255
    rng = np.random.default_rng(0)
    rows = unit(np.sin(8 * levels @ rng.normal(size=(3, 40))) @ rng.normal(size=(40, 12)))
    train = make_train([f"prompt {i}" for i in range(400)], rows=rows)
    seen = [name for i, name in enumerate(colours.ids) if i % 4]
    unseen = colours.select([name for i, name in enumerate(colours.ids) if not i % 4])
    part = replace(
        train,
        records=tuple(replace(r, group=r.image_id) for r in train.records if r.image_id in seen),
        images=train.images.select(seen),
        targets=train.targets.select(seen),
        text_encoder=Narrow(),
    )
    scores = {}
    for epochs in (0, 15):
        member = make_member(epochs=epochs, learning_rate=2e-3, batch_size=32, ema=0.9)
        member.load(prepared(member, part, tmp_path / str(epochs)))
        targets = train.targets.select(unseen.ids).rows
        scores[epochs] = cosine(predictions(member, unseen), targets).mean()
    assert scores[15] > scores[0] + 0.02, scores


def test_a_second_head_touches_no_tower(
    train: TrainSet, make_member: MakeMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNPROMPT_CACHE_DIR", str(tmp_path / "cache"))
    passes = []
    forward = ImageTower.features

    def counted(tower: Any, pixels: torch.Tensor) -> FloatArray:
        passes.append(len(pixels))
        return forward(tower, pixels)

    monkeypatch.setattr(ImageTower, "features", counted)
    prepared(make_member(epochs=0), train, tmp_path / "first")
    assert sum(passes) == COUNT
    mlp = {"name": "mlp", "width": 16, "epochs": 1, "batch_size": 16}
    others: list[dict[str, Any]] = [
        {"epochs": 0, "penalties": [0.5, 5.0]},
        {"epochs": 0, "head": mlp, "keep": "last"},
        {"epochs": 0, "head": mlp, "loss": "angular", "keep": "last"},
        {"epochs": 0, "validation": 0.5, "seed": 3},
        {},  # without `training`
        {"penalties": [2.0]},
    ]
    heads = [
        state(prepared(make_member(**other), train, tmp_path / str(i)))[
            "head.safetensors:fc.weight"
        ]
        for i, other in enumerate(others)
    ]
    assert sum(passes) == COUNT
    assert not heads[0].equal(heads[-1])  # another penalty
    assert not heads[1].equal(heads[2])  # another loss


@pytest.mark.parametrize("name", NAMES)
def test_frozen_layers_do_not_change(
    name: str, train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    member = make_member(name, **FAST, freeze=2)
    changed = load_file(prepared(member, train, tmp_path) / "tower.safetensors")
    own = make_member(name).tower.network.state_dict()
    block = {"clip-l14": "encoder.layers.2.", "clip-l16-384": "blocks.2."}[name]
    behind = {"clip-l14": "post_layernorm.", "clip-l16-384": "norm."}[name]
    last = {key for key in own if key.startswith((block, behind))}
    # The bias of keys has no effect on attention, and so no gradient.
    assert last - {f"{block}self_attn.k_proj.bias"} <= set(changed) <= last


@pytest.mark.parametrize(
    "training",
    [
        {"loss": "vocabulary"},
        {"head": {"name": "mlp", "width": 16, "epochs": 2, "batch_size": 16}, "adapter": {}},
    ],
    ids=["vocabulary", "mlp-lora"],
)
def test_an_interrupted_training_ends_as_one_that_was_not(
    training: dict[str, Any], train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    whole = prepared(make_member(**FAST, **training), train, tmp_path / "whole")

    def stop(step: int, values: Mapping[str, float]) -> None:
        raise KeyboardInterrupt  # an observer's own errors end no training

    work = tmp_path / "work"
    work.mkdir()
    options = {**FAST, **training, "checkpoint_minutes": 1e-9}
    attempts = 0
    for metrics in (stop, train.metrics):
        again = replace(train, work=work, metrics=metrics)
        folder = tmp_path / f"attempt-{attempts}"
        try:
            prepared(make_member(**options), again, folder)
        except KeyboardInterrupt:
            attempts += 1
    assert attempts == 1
    resumed = state(folder)
    for key, value in state(whole).items():
        assert torch.equal(resumed[key], value), key


def test_a_head_goes_on_with_the_loss_that_it_began_with(
    train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    head = {"name": "mlp", "width": 16, "epochs": 2, "batch_size": 16}
    options = {**FAST, "epochs": 0, "head": head, "checkpoint_minutes": 1e-9}

    def stop(step: int, values: Mapping[str, float]) -> None:
        if step > 1:
            raise KeyboardInterrupt

    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(KeyboardInterrupt):
        prepared(make_member(**options), replace(train, work=work, metrics=stop), tmp_path / "one")
    for name, value in (("loss", "angular"), ("sample_weights", False), ("validation", 0.3)):
        again = make_member(**{**options, name: value})
        with pytest.raises(ConfigError, match=rf"training\.{name}"):
            prepared(again, replace(train, work=work), tmp_path / name)


def test_every_loss_and_option_at_once(
    train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    member = make_member(
        **FAST,
        loss=[
            "angular",
            {"name": "contrastive", "weight": 0.2},
            {"name": "vocabulary", "words": 9},
        ],
        layer_decay=0.7,
        decay_to_start=0.1,
        wise_ft=[0.0, 0.5],
        gradient_checkpointing=True,
        accumulate=2,
        augment=["crop"],
        one_per_prompt=True,
    )
    artifact = prepared(member, train, tmp_path)
    member.load(artifact)
    assert predictions(member, train.images).shape == (COUNT, 12)
    assert not any("extras" in key or "words" in key for key in state(artifact))


def test_images_of_weight_zero_are_not_learned(
    train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    """Targets that contradict all others change nothing where their weight is zero."""
    records = tuple(
        replace(record, weight=0.0 if i % 4 == 0 else 1.0, group=str(i))
        for i, record in enumerate(train.records)
    )
    wrong = train.targets.rows.copy()
    wrong[::4] = -wrong[::4]
    made = []
    for i, rows in enumerate((train.targets.rows, wrong)):
        targets = replace(train.targets, rows=rows)
        given = replace(train, records=records, targets=targets)
        member = make_member(**FAST, validation=0)
        made.append(state(prepared(member, given, tmp_path / str(i))))
    for key, value in made[0].items():
        assert torch.equal(made[1][key], value) or key.startswith("bank."), key


def test_broken_images_are_left_out_up_to_a_share(
    train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    source = train.images.source
    assert isinstance(source, Colours)

    class Damaged(Colours):
        def open(self, image_id: str) -> Any:
            if image_id in ("i5", "i7"):
                raise DataError(f"{image_id}.png: damaged")
            return super().open(image_id)

        def digest(self, image_id: str) -> str:
            return f"damaged {super().digest(image_id)}"

    given = replace(train, images=Images(train.images.ids, Damaged(source.levels)))
    member = make_member(**FAST, most_broken=0.1)
    artifact = prepared(member, given, tmp_path / "few")
    card = (artifact / "training" / "README.md").read_text()
    assert "2 of 48 samples cannot be opened and were left out: 'i5', 'i7'" in card
    with pytest.raises(DataError, match="2 of 48 samples cannot be opened, more than the share"):
        prepared(make_member(**FAST, most_broken=0.01), given, tmp_path / "many")


def test_a_trained_tower_of_another_kind_is_refused(
    train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    artifact = prepared(make_member(**FAST), train, tmp_path)
    with pytest.raises(DataError, match=r"tower\.safetensors: not the parameters of this tower"):
        make_member("clip-l16-384", **FAST).load(artifact)
    (artifact / "tower.safetensors").unlink()
    with pytest.raises(DataError, match=r"tower\.safetensors"):
        make_member(**FAST).load(artifact)


def test_only_what_changes_no_result_may_differ_from_the_artifact(make_member: MakeMember) -> None:
    made = make_member(**FAST).options
    free = {"workers": 3, "keep_images": True, "processes": 2, "checkpoint_minutes": 5.0}
    make_member(**FAST, **free).check_prepared(made)
    others: list[dict[str, Any]] = [
        {"learning_rate": 1e-4},
        {"loss": "angular"},
        {"head": "mlp"},
        {"adapter": {}},
    ]
    for other in others:
        with pytest.raises(ConfigError, match="other options need an artifact of their own"):
            make_member(**{**FAST, **other}).check_prepared(made)
    with pytest.raises(ConfigError):
        make_member().check_prepared(made)


def test_a_teacher_may_lie_elsewhere_and_counts_by_content(
    train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    from .test_criterion import save_teacher

    paths = [tmp_path / name for name in ("a.parquet", "b.parquet", "c.parquet")]
    for path in paths[:2]:
        save_teacher(path, train.images.ids, train.targets.rows)
    save_teacher(paths[2], train.images.ids, train.targets.rows[::-1].copy())
    a, b, c = (
        make_member(**FAST, loss=["cosine", {"name": "distillation", "teacher": str(path)}])
        for path in paths
    )
    assert a.identity() == b.identity() != c.identity()
    b.check_prepared(a.options)
    assert str(paths[0]) in [need.where for need in a.needs()]
    member = make_member(**FAST)
    assert a.identity() == {**member.identity(), "teachers": a.identity()["teachers"]}


def test_a_dry_run_fits_nothing_and_has_heads_of_the_right_size(
    train: TrainSet, make_member: MakeMember, tmp_path: Path
) -> None:
    from unprompt.contracts import Runtime

    for head, width in (("linear", 24), ({"name": "mlp", "width": 50}, 50)):
        member = make_member(runtime=Runtime(dry_run=True), **FAST, head=head)
        folder = tmp_path / str(width)
        artifact = prepared(member, train, folder)
        assert state(artifact)["head.safetensors:fc.weight"].shape == (12, width)
        assert not (artifact / "tower.safetensors").exists()
        member.load(artifact)
        assert predictions(member, train.images).shape == (COUNT, 12)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"head": "mlp", "batch_size": 4, "accumulate": 4}, "needs at least 2 images in each part"),
        ({"wise_ft": [0.3, 0.5], "validation": 0}, "no validation images"),
        ({"epochs": 0, "adapter": {}}, "without a fine-tuning"),
        ({"loss": "kosine"}, "kosine"),
        ({"wise_ft": [1.5]}, "less than or equal to 1"),
        ({"wise_ft": [float("nan")]}, "wise_ft"),
        ({"head": {"name": "mlp", "width": 10**11}}, "less than or equal to 1048576"),
    ],
)
def test_options_that_do_not_fit_together(
    training: dict[str, Any], message: str, make_member: MakeMember
) -> None:
    with pytest.raises(ValueError, match=message):
        make_member(**training)


def test_a_train_split_of_one_image_is_said_to_be_one(
    make_member: MakeMember, train: TrainSet, tmp_path: Path
) -> None:
    one = replace(
        train, records=train.records[:1], images=train.images.select(train.images.ids[:1])
    )
    for number, member in enumerate((make_member(**FAST), make_member())):
        with pytest.raises(DataError, match="the train split has 1 image"):
            prepared(member, one, tmp_path / str(number))


@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_the_card_says_which_share_of_wise_ft_was_taken(
    validation: float, make_member: MakeMember, train: TrainSet, tmp_path: Path
) -> None:
    member = make_member(**{**FAST, "validation": validation, "wise_ft": [0.25]})
    card = (prepared(member, train, tmp_path / "a") / "training" / "README.md").read_text()
    taken = "The result is 0.25 of the way from the start to the fine-tuned parameters."
    if validation:
        assert "tried afterwards (WiSE-FT): 0.25 and 1." in card
        assert (taken in card) != (taken.replace("0.25", "1") in card)
        assert "were held back of the train split for validation" in card
    else:
        assert taken in card
        assert "tried afterwards" not in card
        assert f"Fitted to {COUNT} images. All" in card
