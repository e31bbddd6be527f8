"""The protobuf runtime under the generated messages: codec, JSON, enums, well-known types.

It knows protobuf and nothing of MXAccess. Users import from ``zb_mom_ww_mxgateway``.
"""
