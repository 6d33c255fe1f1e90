//! Every cell of `spec/state/put-phone.toml`, tested at the phone's application.

use handfast_conformance::state::table;

use super::*;

/// Returns the application's answers to an event in a state of the table.
fn says(state: &str, event: &str) -> Vec<String> {
    let (_dir, mut app) = phone(None);
    let (id, mut link) = link(&app);
    let (bytes, list) = content(7);
    if state == "PART" {
        app.store.put_part(id, &list).unwrap();
        let mut file = app.media.create_part(Some(id), list.content_id()).unwrap();
        file.write_all(&bytes[..usize::try_from(MEDIA_CHUNK_LEN).unwrap()]).unwrap();
    }
    if state == "TAKING" {
        let opened = app.open_transfer(NOW, &mut link, 0, OpenKind::Put, &put(&list, 0)).unwrap();
        assert_eq!(opened, Ok(()));
    }
    if event == "FIN_EARLY" {
        let mut transfer = link.data.take_transfer(0).unwrap();
        let upload = transfer.as_upload().unwrap();
        upload.incoming.fin(*list.content_id().as_bytes());
        let answer = upload.sync(id, &app.media);
        return answer.err().map(|code| format!("STOP({})", code.name())).into_iter().collect();
    }
    let get = || GetMeta { content: list.content_id(), offset: 0 }.encode();
    let (kind, meta) = match event {
        "PUT" => (OpenKind::Put, put(&list, 0)),
        "PUT_REST" => (OpenKind::Put, put(&list, MEDIA_CHUNK_LEN)),
        "PUT_ONE" => (OpenKind::Put, put(&list, 1)),
        "PUT_UNEVEN" => (OpenKind::Put, put(&list, MEDIA_CHUNK_LEN + 1)),
        "PUT_BEYOND" => (OpenKind::Put, put(&list, 2 * MEDIA_CHUNK_LEN)),
        "PUT_LARGE" => {
            let content = ContentId::from_bytes([9; 32]);
            (OpenKind::Put, PutMeta { content, offset: 0, size: (1 << 31) + 1 }.encode())
        }
        "PUT_NO_SIZE" => (OpenKind::Put, get()),
        "GET" => (OpenKind::Get, get()),
        "GET_NO_CONTENT" => (OpenKind::Get, Vec::new()),
        other => panic!("no such event: {other}"),
    };
    let answer = app.open_transfer(NOW, &mut link, 2, kind, &meta).unwrap();
    answer.err().map(|code| format!("STOP({})", code.name())).into_iter().collect()
}

#[test]
fn every_cell_of_an_offer_is_as_its_table_says() {
    // req: STR-011, STR-080, STR-084
    let table = table("put-phone").unwrap();
    let mut walked = 0;
    for ((state, event), cell) in table.cells().unwrap() {
        if cell.never.is_empty() && event != "RESTART" {
            assert_eq!(says(state, event), cell.says, "{state} x {event}");
            walked += 1;
        }
    }
    assert_eq!(walked, 28);
}
