"""The contract that every predictor keeps, with the towers that ship."""

from __future__ import annotations

import pytest

from unprompt.backbones import BackboneConfig
from unprompt.contracts import Runtime
from unprompt.testing import PredictorContract, Prepared, example_pictures, make_prepared
from unprompt_clip.l14 import L14Options
from unprompt_clip.regressor import ClipRegressor
from unprompt_knn.knn import Knn
from unprompt_knn.options import KnnOptions


def backbone(tower: str) -> BackboneConfig:
    return BackboneConfig.model_validate({"folder": f"package:unprompt_painter/weights/{tower}"})


class TestKnn(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
        options = KnnOptions(backbone=backbone("clip-a"))
        return make_prepared(Knn, options, tmp_path_factory.mktemp("knn"))

    def test_evidence_is_the_shares_of_bank_prompts(self, prepared: Prepared) -> None:
        predictor = prepared.load(Runtime())
        (batch,) = predictor.predict(example_pictures())
        predictor.close()
        for pieces in batch.evidence:
            assert len(pieces) == 5
            assert {piece.kind for piece in pieces} == {"neighbour"}
            assert 0 < sum(piece.weight for piece in pieces) <= 1
            assert all(" wall number " in piece.text for piece in pieces)


class TestClipRegressor(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def prepared(cls, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
        options = L14Options(backbone=backbone("vision-a"))
        return make_prepared(ClipRegressor, options, tmp_path_factory.mktemp("clip"))

    def test_evidence_is_the_nearest_train_prompts(self, prepared: Prepared) -> None:
        predictor = prepared.load(Runtime())
        (batch,) = predictor.predict(example_pictures())
        predictor.close()
        for prompt, pieces in zip(batch.prompts, batch.evidence, strict=True):
            assert prompt == pieces[0].text
            assert {piece.kind for piece in pieces} == {"nearest"}
            assert all(-1.00001 <= piece.weight <= 1.00001 for piece in pieces)
