"""The version of the package, looked up once: it takes a look through everything installed."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("zb-mom-ww-mxgateway")
