use worldshard_client::transport::{MessageKind, data_frame, masked_frame};

use super::{each, first, of_bytes, write};

const MASK: [u8; 4] = [1, 2, 3, 250];

#[test]
fn a_frame_is_found_when_it_is_whole_and_comes_out_as_a_server_sends_it() {
    let mut all = Vec::new();
    for bytes in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let payload: Vec<u8> = (0..bytes).map(|at| at as u8).collect();
        let whole = masked_frame(MessageKind::Binary, &payload, MASK);
        let mut cut = whole[..whole.len() - 1].to_vec();
        assert!(first(&mut cut).is_none(), "{bytes} bytes, one missing");
        let mut followed = [&whole[..], b"\x82"].concat();
        let frame = first(&mut followed).unwrap();
        assert_eq!(frame.payload, payload);
        assert_eq!(frame.len, whole.len());
        let start = all.len();
        write(frame.opcode, frame.payload, &mut all);
        assert_eq!(all[start..], data_frame(MessageKind::Binary, &payload));
    }
    let lengths: Vec<usize> = each(&all).map(<[u8]>::len).collect();
    assert_eq!(lengths, [2, 3, 127, 130, 131, 65_539, 65_546]);
}

#[test]
fn a_frame_for_a_tick_has_the_size_asked_for() {
    for bytes in [2, 3, 127, 130, 1_660, 65_539, 65_546, 100_000] {
        assert_eq!(of_bytes(bytes).len(), bytes);
    }
}
