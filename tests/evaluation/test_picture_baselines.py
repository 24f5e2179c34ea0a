"""Pictures compared by pixels and by colours, beside the same written as loops."""

import numpy as np
import pytest

from datainf.core.errors import DataError
from datainf.evaluation.picture_baselines import histogram_scores, pixel_scores


@pytest.fixture
def pictures() -> tuple[list[np.ndarray], list[np.ndarray]]:
    draw = np.random.default_rng(0)
    train = [draw.integers(0, 256, (5, 3, 3), dtype=np.uint8) for _ in range(7)]
    queries = [*train[2:3], draw.integers(0, 256, (5, 3, 3), dtype=np.uint8)]
    return train, queries


def test_pixels_are_the_cosine_about_the_mean_picture(pictures) -> None:
    train, queries = pictures
    found = pixel_scores(train, queries)
    mean = np.mean(np.array(train, dtype=float), axis=0)
    for q, query in enumerate(queries):
        for n, known in enumerate(train):
            a, b = (query - mean).ravel(), (known - mean).ravel()
            cosine = float(a @ b) / float(np.sqrt((a @ a) * (b @ b)))
            assert found[q, n] == pytest.approx(-cosine)
    assert found[0].argmin() == 2


def test_colours_are_what_two_histograms_have_in_common(pictures) -> None:
    train, queries = pictures
    found = histogram_scores(train, queries)
    for q, query in enumerate(queries):
        for n, known in enumerate(train):
            left = [tuple(place // 32) for place in known.reshape(-1, 3)]
            shared = 0
            for place in query.reshape(-1, 3):
                colour = tuple(place // 32)
                if colour in left:
                    left.remove(colour)
                    shared += 1
            assert found[q, n] == pytest.approx(-shared / 15)
    assert found[0, 2] == pytest.approx(-1)


def test_places_do_not_matter_to_colours_and_do_to_pixels(pictures) -> None:
    train, _ = pictures
    turned = [train[2][::-1].copy()]
    assert histogram_scores(train, turned)[0, 2] == pytest.approx(-1)
    assert pixel_scores(train, turned)[0, 2] > -0.9


def test_a_picture_like_the_mean_is_like_none() -> None:
    grey = np.full((2, 2, 3), 9, np.uint8)
    assert pixel_scores([grey, grey], [grey]).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("compare", [pixel_scores, histogram_scores])
def test_no_pictures_and_pictures_of_several_sizes_are_refused(compare) -> None:
    one, other = np.zeros((2, 3, 3), np.uint8), np.zeros((3, 2, 3), np.uint8)
    with pytest.raises(DataError, match="there are no pictures"):
        compare([], [one])
    with pytest.raises(DataError, match="several sizes"):
        compare([one, other], [one])


def test_queries_of_another_size_are_refused() -> None:
    one, other = np.zeros((2, 3, 3), np.uint8), np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(DataError, match="several sizes"):
        pixel_scores([one], [other])
