"""The tables of charges and of saved cards, which are created together."""

from typing import Final

import sqlalchemy as sa

metadata: Final = sa.MetaData()
