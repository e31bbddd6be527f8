"""What the tests of galaxy files share: writing one, loading it, and the error that refuses it."""

from __future__ import annotations

import pytest

from zb_mom_ww_mxgateway_sim.galaxy.loading import GalaxyFileError, load_galaxy

#: An object, the same with attributes to follow, and a user.
HEAD = '[[objects]]\ntag_name = "T"\ntemplate = "$UserDefined"\n'
WITH = f"{HEAD}[objects.attributes]\n"
USER = '[[users]]\nname = "a"\npassword = "hunter2!"\nuser_id = 1\n'


def load(folder, text, *, change_interval=1.0):
    file = folder / "site.toml"
    file.write_text(text, encoding="utf-8", newline="")
    return load_galaxy(file, change_interval=change_interval)


def refused(folder, text):
    """The error with which a file is refused."""
    with pytest.raises(GalaxyFileError) as caught:
        load(folder, text)
    assert str(caught.value).startswith(f"{folder / 'site.toml'}:{caught.value.line}: ")
    return caught.value


def thing(attributes, folder):
    """The attributes of an object that is described by so many lines of TOML."""
    text = '[[objects]]\ntag_name = "Thing_7"\ntemplate = "$UserDefined"\n[objects.attributes]\n'
    (made,) = load(folder, text + attributes).objects(0)
    return made.attributes


def by_name(galaxy, machines=0):
    return {made.tag_name: made for made in galaxy.objects(machines)}
