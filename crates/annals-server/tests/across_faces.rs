//! One store behind every face: what is written through one is seen, counted, acknowledged and deleted
//! through the others.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

#[cfg(test)]
mod support;

use serde_json::{Value, json};
use support::{ADMIN, Server};

const ORG: &str = "6f1c7f0e-2f53-4a55-9f0b-0c6d3f3a1b11";
const CONTAINER: &str = "0d9a3c52-7a34-4d0b-b4c5-2f6a5c7f9e21";

/// The names of one event on each face.
#[derive(Debug)]
struct Names {
    uuid: String,
    hoody: String,
    sequence: u64,
}

/// What every face counts in all.
async fn totals(server: &Server) -> Vec<(&'static str, u64)> {
    let number = |value: &Value| value.as_u64().unwrap();
    let hoody = server.get("/api/v1/events?limit=1").await.expect(200).json();
    let hoody_stats = server.get("/api/v1/events/stats").await.expect(200).json();
    let by_type = hoody_stats["data"]["by_type"].as_object().unwrap().values().map(number).sum();
    let deltafi = server.get("/api/v2/events/with-count?size=1").await.expect(200).json();
    let waldur = server.get("/api/events/count/").await.expect(200).json();
    let waldur_list = server.get("/api/events/?page_size=1").await.expect(200);
    let months = server.get("/api/events-stats/").await.expect(200).json();
    let audit = server.get("/v1/audit/events?limit=200").await.expect(200).json();
    let native = server.get("/annals/v1/events?limit=1").await.expect(200).json();
    vec![
        ("hoody list", number(&hoody["data"]["pagination"]["total"])),
        ("hoody stats", number(&hoody_stats["data"]["total_events"])),
        ("hoody by type", by_type),
        ("deltafi", number(&deltafi["totalCount"])),
        ("waldur count", number(&waldur["count"])),
        ("waldur list", waldur_list.header("x-result-count").parse().unwrap()),
        ("waldur months", months.as_array().unwrap().iter().map(|month| number(&month["count"])).sum()),
        ("audit", u64::try_from(audit["items"].as_array().unwrap().len()).unwrap()),
        ("native list", number(&native["total"])),
        ("native stats", server.total().await),
    ]
}

async fn everywhere(server: &Server, expected: u64) {
    for (place, total) in totals(server).await {
        assert_eq!(total, expected, "{place}");
    }
}

/// The names of the newest event.
async fn newest(server: &Server) -> Names {
    let native = server.get("/annals/v1/events?limit=1").await.expect(200).json();
    let hoody = server.get("/api/v1/events?limit=1").await.expect(200).json();
    Names {
        uuid: native["events"][0]["id"].as_str().unwrap().to_owned(),
        hoody: hoody["data"]["events"][0]["id"].as_str().unwrap().to_owned(),
        sequence: native["events"][0]["sequence"].as_u64().unwrap(),
    }
}

/// The event as each face shows it by its own name.
async fn shown(server: &Server, names: &Names, status: u16) -> Vec<(&'static str, Value)> {
    let Names { uuid, hoody, sequence } = names;
    let hex = uuid.replace('-', "");
    let paths = [
        ("hoody", format!("/api/v1/events/{hoody}")),
        ("deltafi", format!("/api/v2/events/{uuid}")),
        ("waldur", format!("/api/events/{sequence}/")),
        ("waldur by uuid", format!("/api/events/{hex}/")),
        ("audit", format!("/v1/audit/events/{uuid}")),
        ("native", format!("/annals/v1/events/{uuid}")),
        ("native by number", format!("/annals/v1/events/{sequence}")),
        ("native by hoody's id", format!("/annals/v1/events/{hoody}")),
    ];
    let mut found = Vec::new();
    for (face, path) in paths {
        let reply = server.get(&path).await;
        assert_eq!(reply.status.as_u16(), status, "{face}: {path}: {:?}", reply.body);
        found.push((face, reply.json()));
    }
    found
}

fn of<'v>(shown: &'v [(&str, Value)], face: &str) -> &'v Value {
    &shown.iter().find(|(name, _)| *name == face).unwrap().1
}

#[tokio::test]
async fn an_event_of_the_native_api_is_every_faces_and_hoody_deletes_it() {
    let server = Server::start();
    let event = json!({
        "event_type": "vm.terminated", "created_at": "2025-01-15T10:30:05.123456Z", "status": "failure",
        "message": "Machine gone", "source": "scheduler", "user_id": "42", "vm_id": "vm-1", "org_id": ORG,
        "project_id": "0d9a3c527a344d0bb4c52f6a5c7f9e21", "resource_type": "vm", "resource_id": "vm-1",
        "payload": {"region": "eu"},
    });
    server.store(&[event]).await;
    let names = newest(&server).await;
    let seen = shown(&server, &names, 200).await;
    let hoody = &of(&seen, "hoody")["data"];
    assert_eq!(
        (&hoody["event_type"], &hoody["created_at"]),
        (&json!("vm.terminated"), &json!("2025-01-15T10:30:05.123Z"))
    );
    let deltafi = of(&seen, "deltafi");
    assert_eq!((&deltafi["severity"], &deltafi["summary"]), (&json!("error"), &json!("Machine gone")));
    assert_eq!(deltafi["timestamp"], "2025-01-15T10:30:05.123456Z");
    let waldur = of(&seen, "waldur");
    assert_eq!((&waldur["event_type"], &waldur["message"]), (&json!("vm.terminated"), &json!("Machine gone")));
    assert_eq!(waldur, of(&seen, "waldur by uuid"));
    let audit = of(&seen, "audit");
    assert_eq!(
        (&audit["user_id"], &audit["status"], &audit["event_group"]),
        (&json!(42), &json!("failure"), &json!("vm"))
    );
    assert_eq!((&audit["vm_id"], &audit["event_payload"]), (&json!("vm-1"), &json!({"region": "eu"})));
    let orgs = server.get(&format!("/orgs/{ORG}/events")).await.expect(200).json();
    assert_eq!((&orgs["events"][0]["id"], &orgs["pagination"]["total"]), (&json!(names.uuid), &json!(1)));
    everywhere(&server, 1).await;

    server.call(ADMIN, "DELETE", &format!("/api/v1/events/{}", names.hoody), None).await.expect(200);
    shown(&server, &names, 404).await;
    everywhere(&server, 0).await;
    let orgs = server.get(&format!("/orgs/{ORG}/events")).await.expect(200).json();
    assert_eq!(orgs["pagination"]["total"], 0);
}

#[tokio::test]
async fn an_event_of_orgs_is_every_faces_and_deltafi_deletes_it() {
    let server = Server::start();
    let body =
        json!({"event_type": "access", "timestamp": "2023-11-18T12:00:00Z", "status": "DENIED", "reader": "bob"});
    let path = format!("/orgs/{ORG}/containers/{CONTAINER}/events");
    let posted = server.call(ADMIN, "POST", &path, Some(body)).await.expect(200);
    assert_eq!(posted.json(), json!({"message": "Event logged successfully"}));
    let names = newest(&server).await;
    assert_eq!(posted.header("x-event-id"), names.uuid);
    let seen = shown(&server, &names, 200).await;
    let hoody = &of(&seen, "hoody")["data"];
    assert_eq!((&hoody["resource_type"], &hoody["resource_id"]), (&json!("container"), &json!(CONTAINER)));
    assert_eq!((&hoody["realm_ids"], &hoody["payload"]), (&json!([ORG]), &json!({"reader": "bob"})));
    assert_eq!(of(&seen, "deltafi")["severity"], "error");
    assert_eq!(of(&seen, "waldur")["event_type"], "ACCESS");
    assert_eq!(of(&seen, "audit")["status"], "DENIED");
    for list in ["events", "container_events/by_access", "container_events/by_fail"] {
        let orgs = server.get(&format!("/api/v1/orgs/{ORG}/{list}")).await.expect(200).json();
        assert_eq!(orgs["events"][0]["id"], names.uuid, "{list}");
    }
    everywhere(&server, 1).await;

    let deleted =
        server.call(ADMIN, "DELETE", &format!("/api/v2/events/{}", names.uuid), None).await.expect(200).json();
    assert_eq!(&deleted, of(&seen, "deltafi"));
    shown(&server, &names, 404).await;
    everywhere(&server, 0).await;
    let orgs = server.get(&path).await.expect(200).json();
    assert_eq!(orgs["pagination"]["total"], 0);
}

#[tokio::test]
async fn an_event_of_deltafi_is_every_faces_and_the_native_api_deletes_it() {
    let server = Server::start();
    let body = json!({
        "severity": "warn", "summary": "Configuration updated", "source": "admin-service",
        "content": "System configuration has been updated by admin user", "notification": true, "acknowledged": false,
    });
    let posted = server.call(ADMIN, "POST", "/api/v2/events", Some(body)).await.expect(200).json();
    let names = newest(&server).await;
    assert_eq!(posted["id"], names.uuid);
    let seen = shown(&server, &names, 200).await;
    assert_eq!(of(&seen, "deltafi"), &posted);
    assert_eq!(of(&seen, "hoody")["data"]["event_type"], "system.warn");
    assert_eq!(of(&seen, "audit")["source"], "admin-service");
    assert_eq!(of(&seen, "waldur")["message"], "Configuration updated");
    let bell = server.get("/api/v1/notifications/").await.expect(200).json();
    assert_eq!(
        (&bell["data"][0]["id"], &bell["data"][0]["title"]),
        (&json!(names.hoody), &json!("Configuration updated"))
    );
    everywhere(&server, 1).await;

    let acknowledge = format!("/api/v2/events/{}/acknowledge", names.uuid);
    assert_eq!(server.call(ADMIN, "PUT", &acknowledge, None).await.expect(200).json()["acknowledged"], true);
    let native = server.get("/annals/v1/events?acknowledged=true").await.expect(200).json();
    assert_eq!((&native["total"], &native["events"][0]["id"]), (&json!(1), &json!(names.uuid)));

    server.call(ADMIN, "DELETE", &format!("/annals/v1/events/{}", names.uuid), None).await.expect(200);
    shown(&server, &names, 404).await;
    everywhere(&server, 0).await;
    assert_eq!(server.get("/api/v1/notifications/").await.expect(200).json()["data"], json!([]));
}

#[tokio::test]
async fn a_notification_of_the_native_api_rings_at_deltafi_and_hoody_reads_it() {
    let server = Server::start();
    let body = json!({"title": "Maintenance", "message": "Tonight", "type": "MAINTENANCE", "severity": "warning"});
    server.call(ADMIN, "POST", "/annals/v1/notifications", Some(body)).await.expect(200);
    let names = newest(&server).await;
    let seen = shown(&server, &names, 200).await;
    assert_eq!(
        (&of(&seen, "deltafi")["summary"], &of(&seen, "deltafi")["notification"]),
        (&json!("Maintenance"), &json!(true))
    );
    let bell = server.get("/api/v2/events?notification=true&acknowledged=false").await.expect(200).json();
    assert_eq!(bell[0]["id"], names.uuid);
    let read = server
        .call(ADMIN, "PUT", &format!("/api/v1/notifications/{}/read", names.hoody), None)
        .await
        .expect(200)
        .json();
    assert_eq!((&read["data"]["notification_id"], &read["data"]["is_read"]), (&json!(names.hoody), &json!(true)));
    // The read is an event as well.
    everywhere(&server, 2).await;
    let receipt = server.get("/api/events/?event_type=notification.read").await.expect(200).json();
    assert_eq!(receipt.as_array().unwrap().len(), 1);
    server.call(ADMIN, "DELETE", &format!("/api/v1/events/{}", names.hoody), None).await.expect(200);
    shown(&server, &names, 404).await;
    everywhere(&server, 1).await;
}
