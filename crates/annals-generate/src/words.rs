//! The vocabulary of the made-up company. All of it is ASCII that needs no escapes in JSON.

/// What events happen to.
pub(crate) const RESOURCE_TYPES: [&str; 12] = [
    "container",
    "server",
    "user",
    "project",
    "storage_share",
    "firewall",
    "proxy_alias",
    "auth_token",
    "pool",
    "database",
    "invoice",
    "job",
];

/// Event types, the most frequent first, each with the position of its resource type.
pub(crate) const EVENT_TYPES: [(&str, u8); 64] = [
    ("container.started", 0),
    ("server.rebooted", 1),
    ("user.login", 2),
    ("project.created", 3),
    ("storage_share.mounted", 4),
    ("firewall.rule_added", 5),
    ("proxy_alias.created", 6),
    ("auth_token.issued", 7),
    ("pool.scaled_up", 8),
    ("database.backup_finished", 9),
    ("invoice.issued", 10),
    ("job.queued", 11),
    ("container.stopped", 0),
    ("server.provisioned", 1),
    ("user.logout", 2),
    ("project.updated", 3),
    ("storage_share.unmounted", 4),
    ("firewall.rule_removed", 5),
    ("proxy_alias.deleted", 6),
    ("auth_token.revoked", 7),
    ("pool.scaled_down", 8),
    ("database.backup_failed", 9),
    ("invoice.paid", 10),
    ("job.started", 11),
    ("container.created", 0),
    ("server.unreachable", 1),
    ("user.invited", 2),
    ("project.archived", 3),
    ("storage_share.created", 4),
    ("firewall.connection_blocked", 5),
    ("proxy_alias.certificate_renewed", 6),
    ("auth_token.used", 7),
    ("pool.rebalanced", 8),
    ("database.failover", 9),
    ("invoice.overdue", 10),
    ("job.finished", 11),
    ("container.deleted", 0),
    ("server.patched", 1),
    ("user.password_changed", 2),
    ("project.member_added", 3),
    ("storage_share.quota_exceeded", 4),
    ("firewall.policy_applied", 5),
    ("proxy_alias.certificate_expired", 6),
    ("auth_token.expired", 7),
    ("pool.exhausted", 8),
    ("database.replica_lagging", 9),
    ("invoice.credited", 10),
    ("job.retried", 11),
    ("container.restarted", 0),
    ("server.retired", 1),
    ("user.locked", 2),
    ("project.member_removed", 3),
    ("storage_share.snapshot_taken", 4),
    ("firewall.reloaded", 5),
    ("proxy_alias.redirected", 6),
    ("auth_token.rejected", 7),
    ("pool.drained", 8),
    ("database.migrated", 9),
    ("invoice.disputed", 10),
    ("container.failed", 0),
    ("server.recovered", 1),
    ("user.removed", 2),
    ("container.resized", 0),
    ("container.renamed", 0),
];

/// How grave an event is, with its share in a thousand.
pub(crate) const SEVERITIES: [(&str, u32); 4] = [("info", 830), ("warn", 110), ("error", 30), ("success", 30)];

/// How it ended, with its share in a thousand.
pub(crate) const STATUSES: [(&str, u32); 5] =
    [("success", 740), ("failure", 110), ("pending", 90), ("cancelled", 40), ("timeout", 20)];

/// What reported it, with its share in a thousand.
pub(crate) const SOURCES: [(&str, u32); 8] = [
    ("control-plane", 340),
    ("node-agent", 260),
    ("scheduler", 140),
    ("api", 110),
    ("billing", 60),
    ("auth", 50),
    ("backup", 25),
    ("console", 15),
];

/// Where things run.
pub(crate) const REGIONS: [&str; 6] =
    ["eu-central-1", "eu-west-2", "us-east-1", "us-west-1", "ap-south-1", "sa-east-1"];

/// What things run.
pub(crate) const IMAGES: [&str; 5] =
    ["web/frontend:4.12.1", "core/api:2.31.0", "batch/worker:0.9.7", "data/loader:1.4.22", "edge/proxy:7.0.3"];

/// Who asks.
pub(crate) const USER_AGENTS: [&str; 6] =
    ["console/5.2 (web)", "cli/1.18.4 (linux)", "iac/1.9.5", "sdk-python/3.3.0", "sdk-go/0.44.1", "cron/2.0"];
