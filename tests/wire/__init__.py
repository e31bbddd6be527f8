"""Tests of the protobuf runtime against google.protobuf."""
