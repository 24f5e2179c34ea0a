"""Every family of the table is one."""

from datainf.integrations.diffusion.families.base import Family
from datainf.integrations.diffusion.families.table import FAMILIES


def test_families_say_all_that_a_family_must() -> None:
    for family in FAMILIES.values():
        assert isinstance(family, Family)
        assert family.component in {"unet", "transformer"}
        assert "text_encoder" in family.encoders
