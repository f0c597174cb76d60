//! Many sends by one submission, against what arrives. Does nothing where io_uring is refused.

#[path = "../../../fuzz/src/submission.rs"]
#[expect(
    unreachable_pub,
    reason = "the file is a module of the fuzz crate, whose binaries call it"
)]
mod targets;

#[test]
fn what_the_kernel_says_it_took_it_took_of_the_right_bytes() {
    let mut byte = 1u8;
    for length in [0, 1, 2, 96, 97, 98, 700, 2000] {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                byte = byte.wrapping_mul(29).wrapping_add(113);
                byte
            })
            .collect();
        if !targets::submission(&bytes) {
            return crate::runtimes::tell("NOT RUN: submission, the kernel gives no ring");
        }
    }
}
