"""Families are found by their denoiser; what reads more than a latent is refused."""

from types import SimpleNamespace

import pytest

from datainf.core.errors import AdapterError
from datainf.integrations.diffusion.families.table import FAMILIES, family_of
from tests.tiny_diffusion import DIFFUSERS, PIPELINES, _unet, tiny_pipeline

pytestmark = pytest.mark.skipif(not DIFFUSERS, reason="diffusers cannot be imported")


def test_every_family_is_found_in_some_pipeline() -> None:
    found = {type(family_of(tiny_pipeline(name))) for name in PIPELINES}
    assert found == {type(family) for family in FAMILIES.values()}


def test_an_unknown_denoiser_is_refused_by_name() -> None:
    strange = SimpleNamespace(unet=None, transformer=object())
    with pytest.raises(AdapterError, match="a SimpleNamespace with object is of no"):
        family_of(strange)
    with pytest.raises(AdapterError, match="with no denoiser"):
        family_of(SimpleNamespace())


def test_a_denoiser_that_is_told_an_image_too_is_refused() -> None:
    pipeline = tiny_pipeline()
    pipeline.unet = _unet(in_channels=9)
    with pytest.raises(AdapterError, match="reads 9 channels and the VAE makes 4"):
        family_of(pipeline)
