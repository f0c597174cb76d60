//! Masking against the definition, byte by byte.

use super::apply;

#[test]
fn each_byte_meets_the_key_byte_of_its_place() {
    let key = [0x01, 0x20, 0x0f, 0xf3];
    for len in (0..70).chain([1000]) {
        for offset in 0..9 {
            let plain: Vec<u8> = (0..len).map(|at| (at * 31) as u8).collect();
            let mut masked = plain.clone();
            apply(&mut masked, key, offset);
            let expected = plain
                .iter()
                .enumerate()
                .map(|(at, byte)| byte ^ key[(at + offset) % 4]);
            assert_eq!(
                masked,
                expected.collect::<Vec<u8>>(),
                "{len} bytes at {offset}"
            );
            apply(&mut masked, key, offset);
            assert_eq!(masked, plain);
        }
    }
}
