//! Values of slots that the specification does not allow.

use bytes::Bytes;
use handfast_codec::DeviceRole;
use handfast_codec::error::ErrorCode;
use handfast_codec::frame::Frame;
use handfast_testkit::evil::Evil;

// req: MSG-041, MSG-044
#[test]
fn a_page_state_is_one_byte_that_says_visible_or_hidden() {
    for (body, refused) in [
        (&[0][..], None),
        (&[1], None),
        (&[2], Some(ErrorCode::FIELD_VALUE)),
        (&[255], Some(ErrorCode::FIELD_VALUE)),
        (&[], Some(ErrorCode::TRUNCATED)),
        (&[1, 0], Some(ErrorCode::TRAILING_BYTES)),
    ] {
        let mut evil = Evil::against(DeviceRole::Phone);
        evil.send(&[Frame::Now { slot: 1, body: Bytes::copy_from_slice(body) }]);
        assert_eq!(evil.failure(), refused, "{body:?}");
    }
}

// req: MSG-111, MSG-090
#[test]
fn a_value_that_the_other_role_alone_has_a_use_for_is_passed_over() {
    for (role, slot, body) in [
        (DeviceRole::Web, 1, &[1][..]),
        (DeviceRole::Phone, 3, &[100, 1]),
        (DeviceRole::Phone, 7, &[4, 5]),
        (DeviceRole::Phone, 9, &[2]),
        (DeviceRole::Web, 9, &[2]),
    ] {
        let mut evil = Evil::against(role);
        evil.send(&[Frame::Now { slot, body: Bytes::copy_from_slice(body) }]);
        evil.send(&[Frame::Ping { id: 5, rev: 0 }]);
        assert_eq!(evil.failure(), None, "{role:?} and slot {slot}");
        assert!(evil.heard.contains(&Frame::Pong { id: 5 }), "{role:?} and slot {slot}");
    }
}

#[test]
fn what_the_application_refuses_ends_the_connection_with_its_code() {
    for role in [DeviceRole::Phone, DeviceRole::Web] {
        let mut evil = Evil::against(role);
        evil.device.machine.refuse(evil.now, ErrorCode::FIELD_ORDER);
        evil.listen();
        assert_eq!(evil.failure(), Some(ErrorCode::FIELD_ORDER), "{role:?}");
        let heard = evil.heard.len();
        evil.device.machine.refuse(evil.now, ErrorCode::FIELD_ORDER);
        evil.listen();
        assert_eq!(evil.heard.len(), heard, "there is no connection any more");
    }
}
