//! Codes in bit planes: a group of 128 codes is `width` planes of 128 bits, plane `p` holding bit `p` of each code.
//!
//! Comparing all codes of a group with one value takes one exclusive-or and one and per plane; reading a few
//! codes back gathers a byte per plane and transposes them.

/// Codes of one group.
pub(super) const GROUP_CODES: usize = 128;
/// Bytes of one plane.
pub(super) const PLANE_SIZE: usize = GROUP_CODES / 8;
/// The widest code, in bits.
pub(super) const CODE_WIDTH_MAX: u8 = 16;

/// Mirrors a matrix of 8 by 8 bits at its diagonal: bit `8 * r + c` moves to bit `8 * c + r`.
#[inline]
fn transpose(x: u64) -> u64 {
    let x = swap(x, 7, 0x00aa_00aa_00aa_00aa);
    let x = swap(x, 14, 0x0000_cccc_0000_cccc);
    swap(x, 28, 0x0000_0000_f0f0_f0f0)
}

/// Swaps the bits under `mask` with those `shift` above them.
#[inline]
fn swap(x: u64, shift: u32, mask: u64) -> u64 {
    let swapped = (x ^ (x >> shift)) & mask;
    x ^ swapped ^ (swapped << shift)
}

/// Appends a group; codes that are missing at its end are 0.
pub(super) fn put_group(codes: &[u16; GROUP_CODES], width: usize, out: &mut Vec<u8>) {
    let mut planes = [[0_u8; PLANE_SIZE]; 16];
    for (column, octet) in codes.as_chunks::<8>().0.iter().enumerate() {
        let (mut low, mut high) = ([0_u8; 8], [0_u8; 8]);
        for (code, (low, high)) in octet.iter().zip(low.iter_mut().zip(&mut high)) {
            [*low, *high] = code.to_le_bytes();
        }
        let (first, second) = planes.split_at_mut(8);
        for (plane, byte) in first.iter_mut().zip(transpose(u64::from_le_bytes(low)).to_le_bytes()) {
            put(plane, column, byte);
        }
        if width > 8 {
            for (plane, byte) in
                second.iter_mut().zip(transpose(u64::from_le_bytes(high)).to_le_bytes()).take(width - 8)
            {
                put(plane, column, byte);
            }
        }
    }
    for plane in planes.iter().take(width) {
        out.extend_from_slice(plane);
    }
}

#[inline]
fn put(plane: &mut [u8; PLANE_SIZE], column: usize, byte: u8) {
    if let Some(slot) = plane.get_mut(column % PLANE_SIZE) {
        *slot = byte;
    }
}

/// The eight codes from code `8 * column` of a group on.
#[inline]
pub(super) fn octet(group: &[u8], column: usize) -> [u16; 8] {
    let column = column % PLANE_SIZE;
    let planes = group.as_chunks::<PLANE_SIZE>().0;
    let (first, second) = planes.split_at_checked(8).unwrap_or((planes, &[]));
    let low = gathered(first, column);
    let mut codes = [0; 8];
    for (code, low) in codes.iter_mut().zip(low) {
        *code = u16::from(low);
    }
    if !second.is_empty() {
        for (code, high) in codes.iter_mut().zip(gathered(second, column)) {
            *code |= u16::from(high) << 8;
        }
    }
    codes
}

/// Eight bits of each of up to eight planes, as the low bits of eight bytes.
#[inline]
fn gathered(planes: &[[u8; PLANE_SIZE]], column: usize) -> [u8; 8] {
    let mut bytes = [0; 8];
    for (byte, plane) in bytes.iter_mut().zip(planes) {
        *byte = plane.get(column).copied().unwrap_or_default();
    }
    transpose(u64::from_le_bytes(bytes)).to_le_bytes()
}

/// The codes of a group that are 0.
#[inline]
pub(super) fn zeroes(group: &[u8]) -> u128 {
    !group.as_chunks::<PLANE_SIZE>().0.iter().fold(0, |any, plane| any | u128::from_le_bytes(*plane))
}

/// The lowest `count` bits.
#[inline]
pub(super) fn low_bits(count: u64) -> u128 {
    match u32::try_from(count) {
        Ok(count) if count < u128::BITS => (1 << count) - 1,
        _ => u128::MAX,
    }
}

/// What the planes of a code have to be exclusive-ored with so that all of them are 1 where the code stands.
#[inline]
pub(super) fn inverted<const WIDTH: usize>(code: u16) -> [u128; WIDTH] {
    let mut planes = [0; WIDTH];
    for (plane, bit) in planes.iter_mut().zip(0..) {
        *plane = if code >> bit & 1 == 1 { 0 } else { u128::MAX };
    }
    planes
}

/// The codes of a group that equal one of `wanted`, given as [`inverted`].
#[inline]
pub(super) fn equal<const WIDTH: usize>(group: &[[u8; PLANE_SIZE]; WIDTH], wanted: &[[u128; WIDTH]]) -> u128 {
    let mut any = 0;
    for inverted in wanted {
        let mut all = u128::MAX;
        for (plane, inverted) in group.iter().zip(inverted) {
            all &= u128::from_le_bytes(*plane) ^ inverted;
        }
        any |= all;
    }
    any
}

/// The codes of a group that equal `code`, whatever its width.
#[inline]
pub(super) fn equal_to(group: &[u8], code: u16) -> u128 {
    let mut all = u128::MAX;
    for (plane, bit) in group.as_chunks::<PLANE_SIZE>().0.iter().zip(0..) {
        all &= u128::from_le_bytes(*plane) ^ if code >> bit & 1 == 1 { 0 } else { u128::MAX };
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_come_back_and_are_found(codes in proptest::collection::vec(any::<u16>(), GROUP_CODES), width in 1_usize..=16) {
            let codes: Vec<u16> = codes.into_iter().map(|code| code >> (16 - width)).collect();
            let mut group = Vec::new();
            put_group(codes.as_slice().try_into().unwrap(), width, &mut group);
            prop_assert_eq!(group.len(), width * PLANE_SIZE);
            let read: Vec<u16> = (0..PLANE_SIZE).flat_map(|column| octet(&group, column)).collect();
            prop_assert_eq!(&read, &codes);
            let of = |wanted: u16| -> u128 { (0..).zip(&codes).map(|(at, code)| u128::from(*code == wanted) << at).sum() };
            prop_assert_eq!(zeroes(&group), of(0));
            prop_assert_eq!(equal_to(&group, codes[99]), of(codes[99]));
            if width == 9 {
                let planes = group.as_chunks::<PLANE_SIZE>().0.as_chunks::<9>().0;
                let (first, second) = (codes[5], codes[77]);
                prop_assert_eq!(equal(&planes[0], &[inverted(first)]), of(first));
                prop_assert_eq!(equal(&planes[0], &[inverted(first), inverted(second)]), of(first) | of(second));
            }
        }
    }
}
