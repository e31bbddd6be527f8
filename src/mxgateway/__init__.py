"""The package's earlier name: everything of ``zb_mom_ww_mxgateway``."""

from zb_mom_ww_mxgateway import *
