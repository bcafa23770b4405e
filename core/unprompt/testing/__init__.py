"""The contracts of what plugins offer, as tests for a plugin's test suite.

Subclass a contract and give the fixture that it names; pytest then runs its checks::

    class TestEcho(PredictorContract):
        @pytest.fixture(scope="class")
        @classmethod
        def prepared(cls, tmp_path_factory):
            return make_prepared(Echo, EchoOptions(), tmp_path_factory.mktemp("echo"))


    class TestGallery(DatasetContract):
        @pytest.fixture(scope="class")
        @classmethod
        def make_dataset(cls):
            return lambda: Gallery(GalleryOptions(folder="tests/gallery"))


    class TestBagOfWords(TextEncoderContract):
        @pytest.fixture(scope="class")
        @classmethod
        def make_encoder(cls):
            return lambda runtime: BagOfWords(BagOptions(), runtime)


    class TestScoresFile(ObserverContract):
        @pytest.fixture
        def make_observer(self, tmp_path):
            return lambda: ScoresFile(ScoresOptions(file=Location.of(str(tmp_path / "scores"))))

Needs pytest; nothing else of unprompt imports this package.
"""

from __future__ import annotations

from unprompt._data.memory import MemoryImages
from unprompt.testing.dataset import DatasetContract
from unprompt.testing.examples import HashedWords, example_images, example_train_set
from unprompt.testing.observer import (
    MakeObserver,
    ObserverContract,
    example_metrics,
    example_scores,
    fail_example_run,
    finish_example_run,
)
from unprompt.testing.predictor import MODES, PredictorContract, Prepared, make_prepared, rows_of
from unprompt.testing.text_encoder import MakeEncoder, TextEncoderContract
from unprompt.testing.tolerance import TOLERANCE

__all__ = [
    "MODES",
    "TOLERANCE",
    "DatasetContract",
    "HashedWords",
    "MakeEncoder",
    "MakeObserver",
    "MemoryImages",
    "ObserverContract",
    "PredictorContract",
    "Prepared",
    "TextEncoderContract",
    "example_images",
    "example_metrics",
    "example_scores",
    "example_train_set",
    "fail_example_run",
    "finish_example_run",
    "make_prepared",
    "rows_of",
]
