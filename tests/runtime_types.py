"""The runtime type checker of the tests: beartype, with an int where a float is asked.

Python's own rule (PEP 484) accepts `damping=1` for a float; beartype does when told.
"""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
