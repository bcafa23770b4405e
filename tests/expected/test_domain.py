"""Images unlike those that an ensemble was scored on, as simulated members see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from unprompt._scoring.domain import INSIDE, Domain, fit_domain
from unprompt.contracts import Batch, Evidence
from unprompt.embeddings import Embeddings, unit
from unprompt.errors import DataError

WEIGHTS = {"x": 1.0, "y": 0.5, "z": 1.0}
DIM, KNOWN = 48, 12


def world() -> np.ndarray:
    """Directions that prompts of this world lie in; members err in four further ones."""
    return np.linalg.qr(np.random.default_rng(99).normal(size=(DIM, DIM)))[0][:, : KNOWN + 4]


def usual(seed: int, count: int = 600, evidence: float = 0.8) -> dict[str, Batch]:
    """Members that see one of the world's prompts each, through errors of their own."""
    rng = np.random.default_rng(seed)
    prompts = rng.normal(size=(count, KNOWN)) @ world()[:, :KNOWN].T
    members = {}
    for name in WEIGHTS:
        errors = rng.normal(size=(count, 4)) @ world()[:, KNOWN:].T
        noise = 0.15 * rng.normal(size=(count, DIM))
        members[name] = batch(prompts + errors + noise, rng.normal(evidence, 0.05, count))
    return members


def strange(seed: int, count: int = 100) -> dict[str, Batch]:
    """Members that each make something else of an image, anywhere in the space."""
    rng = np.random.default_rng(seed)
    return {
        name: batch(rng.normal(size=(count, DIM)), rng.normal(0.8, 0.05, count)) for name in WEIGHTS
    }


def batch(rows: np.ndarray, scores: np.ndarray) -> Batch:
    ids = tuple(str(i) for i in range(len(rows)))
    evidence = tuple((Evidence("a", float(score), "phrase"),) for score in scores)
    return Batch(Embeddings(ids, unit(rows)), (None,) * len(ids), evidence)


def groups(members: Mapping[str, Batch]) -> list[str]:
    return [f"g{i // 2}" for i in range(len(next(iter(members.values())).embeddings))]


@pytest.fixture(scope="module")
def domain() -> Domain:
    learned = fit_domain(usual(0), WEIGHTS, groups(usual(0)))
    assert learned is not None
    return learned


def share(domain: Domain, members: Mapping[str, Batch]) -> float:
    return float(np.mean(domain.outside(members, WEIGHTS)))


def test_images_of_the_world_are_seldom_flagged_and_others_are(domain: Domain) -> None:
    rates = [share(domain, usual(seed)) for seed in range(1, 11)]
    assert np.mean(rates) == pytest.approx(1 - INSIDE, abs=0.01)
    assert max(rates) < 0.04
    assert share(domain, strange(20)) == 1.0


def test_members_that_agree_on_nonsense_are_flagged(domain: Domain) -> None:
    """The length of their mean is 1, longer than on any image of the world."""
    rows = np.random.default_rng(21).normal(size=(50, DIM))
    same = {name: batch(rows, np.full(50, 0.8)) for name in WEIGHTS}
    assert share(domain, same) == 1.0


def test_what_towers_see_counts_where_a_head_hides_it() -> None:
    """Heads that give every image a row of the world's kind: only the towers' features differ."""

    def seen(members: Mapping[str, Batch], seed: int) -> dict[str, Batch]:
        hidden = usual(seed, len(next(iter(members.values())).embeddings))
        return {
            name: replace(hidden[name], features=batch.embeddings)
            for name, batch in members.items()
        }

    learned = fit_domain(seen(usual(30), 31), WEIGHTS, groups(usual(30)))
    assert learned is not None
    assert np.mean(learned.outside(seen(usual(32), 33), WEIGHTS)) < 0.04
    assert np.mean(learned.outside(seen(strange(34), 35), WEIGHTS)) == 1.0
    blind = {name: replace(b, features=None) for name, b in seen(strange(34), 35).items()}
    by_rows = fit_domain(usual(30), WEIGHTS, groups(usual(30)))
    assert by_rows is not None
    assert np.mean(by_rows.outside(blind, WEIGHTS)) < 0.1


def test_features_may_be_of_any_width_and_only_some_members_give_them() -> None:
    def wide(members: dict[str, Batch]) -> dict[str, Batch]:
        rows = members["x"].embeddings.rows
        twice = Embeddings(members["x"].embeddings.ids, unit(np.hstack([rows, -rows])))
        return members | {"x": replace(members["x"], features=twice)}

    learned = fit_domain(wide(usual(36)), WEIGHTS, groups(usual(36)))
    assert learned is not None
    assert learned.axes.shape[1] == 4 * DIM
    assert np.mean(learned.outside(wide(usual(37)), WEIGHTS)) < 0.04
    assert np.mean(learned.outside(wide(strange(38)), WEIGHTS)) == 1.0


def test_members_of_weight_zero_are_not_looked_at(domain: Domain) -> None:
    learned = fit_domain(usual(0), WEIGHTS | {"z": 0.0}, groups(usual(0)))
    assert learned is not None
    assert learned.axes.shape[1] == 2 * DIM
    some = {name: strange(39)[name] for name in ("x", "y")}
    assert learned.outside(some, WEIGHTS) == learned.outside(strange(39), WEIGHTS | {"z": 0.0})


def test_images_are_joined_by_id(domain: Domain) -> None:
    members = usual(40, count=30) | {"x": strange(41, count=30)["x"]}
    turned = members | {"y": _turned(members["y"])}
    assert domain.outside(turned, WEIGHTS) == domain.outside(members, WEIGHTS)


def _turned(batch: Batch) -> Batch:
    ids = batch.embeddings.ids[::-1]
    return Batch(batch.embeddings.align(ids), batch.prompts[::-1], batch.evidence[::-1])


def test_a_long_holdout_teaches_as_much_as_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unprompt._scoring.domain._MOST_IMAGES", 300)
    learned = fit_domain(usual(42, count=900), WEIGHTS, groups(usual(42, count=900)))
    assert learned is not None
    assert np.mean(learned.outside(usual(43), WEIGHTS)) < 0.05
    assert np.mean(learned.outside(strange(44), WEIGHTS)) == 1.0


def test_evidence_that_scores_low_counts_beside_the_rows(domain: Domain) -> None:
    assert share(domain, usual(22, evidence=0.2)) > 0.9
    assert share(domain, usual(22, evidence=0.95)) <= share(domain, usual(22))


def test_a_member_without_evidence_and_one_alone(domain: Domain) -> None:
    silent = {
        name: Batch(b.embeddings, b.prompts, ((),) * len(b.evidence))
        for name, b in usual(23).items()
    }
    learned = fit_domain(silent, WEIGHTS, groups(silent))
    assert learned is not None
    assert learned.model.evidence == {}
    assert np.mean(learned.outside(strange(24), WEIGHTS)) == 1.0
    alone = {"x": 1.0, "y": 0.0, "z": 0.0}
    single = fit_domain(usual(25), alone, groups(usual(25)))
    assert single is not None
    assert single.axes.shape[1] == DIM
    assert np.mean(single.outside(strange(26), alone)) > 0.9
    with pytest.raises(DataError, match="48 features per image were learned, and "):
        single.outside(usual(27), WEIGHTS)


def test_too_few_images_teach_nothing() -> None:
    few = usual(28, count=40)
    assert fit_domain(few, WEIGHTS, groups(few)) is None
    one_group = usual(29, count=100)
    assert fit_domain(one_group, WEIGHTS, ["g"] * 100) is None


def test_rows_that_are_all_equal_do_no_harm() -> None:
    rows = np.tile(np.eye(DIM)[:1], (60, 1))
    same = {name: batch(rows, np.full(60, 0.8)) for name in WEIGHTS}
    learned = fit_domain(same, WEIGHTS, groups(same))
    assert learned is not None
    assert not any(learned.outside(same, WEIGHTS))


def silenced(batch: Batch, every: int) -> Batch:
    """The same without every so many-th row."""
    rows = batch.embeddings.rows.copy()
    rows[::every] = 0
    return replace(batch, embeddings=Embeddings(batch.embeddings.ids, rows))


def test_a_member_that_abstains_from_holdout_images_says_nothing_of_how_they_look(
    domain: Domain,
) -> None:
    def some(members: dict[str, Batch], every: int = 2) -> dict[str, Batch]:
        return members | {"z": silenced(members["z"], every)}

    learned = fit_domain(some(usual(50)), WEIGHTS, groups(usual(50)))
    assert learned is not None
    assert learned.model.members == ("x", "y") and learned.axes.shape[1] == 2 * DIM
    for every in (1, 2, 10_000):  # whether it answers does not matter
        assert np.mean(learned.outside(some(usual(51), every), WEIGHTS)) < 0.05
        assert np.mean(learned.outside(some(strange(52), every), WEIGHTS)) > 0.98
    with pytest.raises(DataError, match="features of 'y' were learned, which is not in use"):
        learned.outside({"x": usual(53)["x"], "z": usual(53)["z"]}, WEIGHTS)


def test_features_are_seen_where_a_member_abstains() -> None:
    """They are what its tower sees, whether it has an answer or not."""
    members = usual(54)
    seeing = {
        name: replace(silenced(given, 2), features=given.embeddings)
        for name, given in members.items()
    }
    learned = fit_domain(seeing, WEIGHTS, groups(members))
    assert learned is not None and learned.model.members is None
    assert learned.axes.shape[1] == 3 * DIM


def test_a_member_that_abstains_only_later_has_met_no_such_image(domain: Domain) -> None:
    late = usual(55) | {"z": silenced(usual(55)["z"], 2)}
    flagged = np.array(domain.outside(late, WEIGHTS))
    assert flagged[::2].all() and flagged[1::2].mean() < 0.05


def test_where_all_abstain_the_one_with_most_answers_is_seen() -> None:
    def some(members: dict[str, Batch]) -> dict[str, Batch]:
        return {name: silenced(given, 3 if name == "y" else 2) for name, given in members.items()}

    learned = fit_domain(some(usual(57)), WEIGHTS, groups(usual(57)))
    assert learned is not None
    assert learned.model.members == ("y",) and learned.axes.shape[1] == DIM
    flagged = np.array(learned.outside(some(strange(58)), WEIGHTS))
    assert not flagged[::3].any()  # nothing is seen of them
    assert np.delete(flagged, slice(None, None, 3)).mean() > 0.9
    few = {name: silenced(given, 1) for name, given in usual(59).items()}
    assert fit_domain(few, WEIGHTS, groups(few)) is None


def test_members_that_read_are_not_looked_at_where_there_are_others() -> None:
    learned = fit_domain(usual(60), WEIGHTS, groups(usual(60)), ["y"])
    assert learned is not None and learned.model.members == ("x", "z")
    only = fit_domain(usual(60), WEIGHTS, groups(usual(60)), ["x", "y", "z"])
    assert only is not None and only.model.members is None
