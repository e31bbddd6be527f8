"""The protobuf runtime under the generated messages: codec, JSON, enums, well-known types.

It knows protobuf and nothing of MXAccess. Users import from ``zb_mom_ww_mxgateway``.
"""

from .compiled import search_path

__path__ = search_path(__name__, __path__)
