"""Metadata of a galaxy: what objects and attributes there are, and when they were deployed."""

from .attributes import (
    ObjectCategory as ObjectCategory,
    SecurityClassification as SecurityClassification,
    data_type_of as data_type_of,
)
from .browse import BrowseNode as BrowseNode
from .client import (
    GalaxyRepositoryClient as GalaxyRepositoryClient,
    deploy_time as deploy_time,
)
from .listing import (
    HierarchyFilters as HierarchyFilters,
    ObjectFilters as ObjectFilters,
)
