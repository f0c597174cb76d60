//! Masks and unmasks payload bytes in place: XOR with a repeated key of four bytes.

/// XORs `bytes` with `key`, whose first byte belongs to position `offset` of the payload; the same call undoes it.
pub(crate) fn apply(bytes: &mut [u8], key: [u8; 4], offset: usize) {
    let mut turned = key;
    turned.rotate_left(offset % 4);
    if turned == [0; 4] {
        return;
    }
    // Blocks of 32 bytes become vector instructions; the rest starts at a multiple of four, so the key is not turned again.
    let block_key: [u8; 32] = std::array::from_fn(|at| turned[at % 4]);
    let (blocks, rest) = bytes.as_chunks_mut::<32>();
    for block in blocks {
        for (byte, key) in block.iter_mut().zip(block_key) {
            *byte ^= key;
        }
    }
    for (byte, key) in rest.iter_mut().zip(block_key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests;
