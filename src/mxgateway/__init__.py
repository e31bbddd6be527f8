from zb_mom_ww_mxgateway import *  # noqa
