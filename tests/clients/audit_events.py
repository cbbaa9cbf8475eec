"""The events that the tests of the audit API look at, and the 26 keys of its document."""

import datetime
import uuid

UTC = datetime.timezone.utc
TOTAL = 230
TYPES = ["vm.created", "vm.terminated", "execution.completed", "snapshot.failed"]
STATUSES = ["success", "denied", "pending", "failure"]
VMS = ["vm-1", "vm-2", "vm-3"]
SESSIONS = ["sess a", "sess/b", "sess-ü"]
KEYS = {
    "id", "created_at", "user_id", "actor_type", "actor_id", "source", "event_group", "event_type", "status",
    "resource_type", "resource_id", "session_id", "vm_id", "task_id", "request_id", "correlation_id", "http_method",
    "path", "http_status", "latency_ms", "ip_address", "user_agent", "node_ip", "worker_id", "event_payload",
    "error_message",
}  # fmt: skip


def audit_id(n: int) -> str:
    return str(uuid.UUID(int=0xB0000 + n, version=4))


def audit_event(n: int, now: datetime.datetime) -> dict:
    """Event `n` of TOTAL: one in each half hour before `now`, the last one ten minutes ago."""
    before = datetime.timedelta(minutes=10 + 30 * (TOTAL - 1 - n), microseconds=n % 2)
    event = {
        "id": audit_id(n),
        "created_at": (now - before).isoformat(),
        "event_type": TYPES[n % 4],
        "status": STATUSES[n % 4],
        "user_id": n % 6,
        "vm_id": VMS[n % 3],
        "session_id": SESSIONS[n % 3],
        "source": "sdk",
        "payload": {"number": n},
    }
    if n % 2:
        # Every key that can be filled, with the type of the document.
        event |= {
            "actor_type": "api_key", "actor_id": f"key-{n}", "resource_type": "vm", "resource_id": f"res-{n}",
            "task_id": n, "request_id": f"req-{n}", "correlation_id": f"corr-{n}", "http_method": "POST",
            "path": "/v1/vms", "http_status": 201, "latency_ms": 12.5, "ip_address": "10.0.0.9",
            "user_agent": "sdk/1", "node_ip": "10.1.0.1", "worker_id": "w-7", "error_message": f"reason {n}",
        }  # fmt: skip
    return event


def now() -> datetime.datetime:
    return datetime.datetime.now(UTC).replace(microsecond=0)
