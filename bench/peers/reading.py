"""Reading of messages that is the same for all peers: fields that are attributes everywhere."""

from __future__ import annotations

from typing import Any


def statuses(found: Any) -> object:
    """The statuses of a result or an event."""
    return tuple((each.success, each.category, each.detected_by, each.detail) for each in found)


def ping_reply(reply: Any) -> object:
    """A reply without a payload."""
    status = reply.protocol_status
    return reply.session_id, reply.correlation_id, reply.kind, status.code, status.message


def hierarchy(reply: Any) -> object:
    """A page of the galaxy."""
    objects = [
        (
            each.gobject_id,
            each.tag_name,
            each.contained_name,
            each.browse_name,
            each.parent_gobject_id,
            each.is_area,
            each.category_id,
            each.hosted_by_gobject_id,
            tuple(each.template_chain),
            [_attribute(attribute) for attribute in each.attributes],
        )
        for each in reply.objects
    ]
    return objects, reply.next_page_token, reply.total_object_count


def _attribute(attribute: Any) -> object:
    return (
        attribute.attribute_name,
        attribute.full_tag_reference,
        attribute.mx_data_type,
        attribute.data_type_name,
        attribute.is_array,
        attribute.array_dimension,
        attribute.array_dimension_present,
        attribute.mx_attribute_category,
        attribute.security_classification,
        attribute.is_historized,
        attribute.is_alarm,
    )
