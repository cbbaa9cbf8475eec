//! What a file holds: as the page cache has it, and as the device would have it after a power cut.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::fault::FailedSync;
use crate::random::Random;

/// What a device writes whole or not at all, unless it tears it.
pub(crate) const SECTOR_SIZE: usize = 512;
const PAGE_SIZE: usize = 4096;
const SECTORS_OF_PAGE: u64 = 8;
const _: () = assert!(PAGE_SIZE == SECTOR_SIZE * 8);
/// A torn sector is cut at a multiple of this.
const TEAR: u64 = 8;

type Page = [u8; PAGE_SIZE];
type Sector = [u8; SECTOR_SIZE];

/// Bytes in pages; a missing one is zeroes.
#[derive(Clone, Debug, Default)]
struct Content(Vec<Option<Arc<Page>>>);

impl Content {
    fn page(&self, index: u64) -> Option<&Page> {
        self.0.get(to_usize(index))?.as_deref()
    }

    fn page_mut(&mut self, index: u64) -> &mut Page {
        let index = to_usize(index);
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        let page = self.0.get_mut(index).expect("the list was just made long enough");
        Arc::make_mut(page.get_or_insert_with(|| Arc::new([0; PAGE_SIZE])))
    }

    fn share_page(&mut self, index: u64, from: &Content) {
        let index = to_usize(index);
        if self.0.len() <= index {
            self.0.resize(index + 1, None);
        }
        if let Some(slot) = self.0.get_mut(index) {
            *slot = from.0.get(index).cloned().flatten();
        }
    }

    fn read(&self, mut bytes: &mut [u8], offset: u64) {
        let mut at = to_usize(offset);
        while !bytes.is_empty() {
            let start = at % PAGE_SIZE;
            let (piece, rest) = bytes.split_at_mut((PAGE_SIZE - start).min(bytes.len()));
            match self.page(to_u64(at / PAGE_SIZE)) {
                Some(page) => piece.copy_from_slice(page.get(start..start + piece.len()).unwrap_or_default()),
                None => piece.fill(0),
            }
            at += piece.len();
            bytes = rest;
        }
    }

    fn write(&mut self, mut bytes: &[u8], offset: u64) {
        let mut at = to_usize(offset);
        while !bytes.is_empty() {
            let start = at % PAGE_SIZE;
            let (piece, rest) = bytes.split_at((PAGE_SIZE - start).min(bytes.len()));
            if let Some(slot) = self.page_mut(to_u64(at / PAGE_SIZE)).get_mut(start..start + piece.len()) {
                slot.copy_from_slice(piece);
            }
            at += piece.len();
            bytes = rest;
        }
    }

    fn sector(&self, index: u64) -> Sector {
        let mut sector = [0; SECTOR_SIZE];
        self.read(&mut sector, index * to_u64(SECTOR_SIZE));
        sector
    }
}

/// One file of the simulated disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileImage {
    live: Content,
    live_len: u64,
    durable: Content,
    durable_len: u64,
    /// Sectors written and not synced since.
    dirty: BTreeSet<u64>,
    /// Sectors that a failed sync gave up on: they look written and never will be.
    lost: BTreeSet<u64>,
}

impl FileImage {
    /// The length, as a program sees it.
    pub(crate) fn len(&self) -> u64 {
        self.live_len
    }

    /// Reads what a program sees; `false` if the file is shorter.
    pub(crate) fn read(&self, bytes: &mut [u8], offset: u64) -> bool {
        let fits = offset.checked_add(to_u64(bytes.len())).is_some_and(|end| end <= self.live_len);
        if fits {
            self.live.read(bytes, offset);
        }
        fits
    }

    /// Writes into the page cache.
    pub(crate) fn write(&mut self, bytes: &[u8], offset: u64) {
        let end = offset + to_u64(bytes.len());
        if bytes.is_empty() {
            return;
        }
        self.live.write(bytes, offset);
        self.live_len = self.live_len.max(end);
        for sector in offset / to_u64(SECTOR_SIZE)..end.div_ceil(to_u64(SECTOR_SIZE)) {
            self.dirty.insert(sector);
            self.lost.remove(&sector);
        }
    }

    /// Makes the file at least that long; new bytes read as zeroes.
    pub(crate) fn extend(&mut self, len: u64) {
        self.live_len = self.live_len.max(len);
    }

    /// What was written is on the device now, but for what was lost before.
    pub(crate) fn sync(&mut self) {
        for sector in std::mem::take(&mut self.dirty) {
            let page = sector / SECTORS_OF_PAGE;
            let first = page * SECTORS_OF_PAGE;
            if self.lost.range(first..first + SECTORS_OF_PAGE).next().is_none() {
                self.durable.share_page(page, &self.live);
            } else {
                let bytes = self.live.sector(sector);
                self.durable.write(&bytes, sector * to_u64(SECTOR_SIZE));
            }
        }
        self.durable_len = self.live_len;
    }

    /// A sync that failed: some of what was written got there, the rest never will, and the next sync says that
    /// all is well. The cache may show what is lost, or what the device has.
    pub(crate) fn fail_sync(&mut self, how: FailedSync, random: &mut Random) {
        let shows_lost = match how {
            FailedSync::Harmless => return,
            FailedSync::Keeps => true,
            FailedSync::Reverts => false,
            FailedSync::Loses => random.one_in(2),
        };
        for sector in std::mem::take(&mut self.dirty) {
            if random.one_in(3) {
                let bytes = self.live.sector(sector);
                self.durable.write(&bytes, sector * to_u64(SECTOR_SIZE));
            } else if shows_lost {
                self.lost.insert(sector);
            } else {
                let bytes = self.durable.sector(sector);
                self.live.write(&bytes, sector * to_u64(SECTOR_SIZE));
            }
        }
    }

    /// Clean pages are read from the device again.
    pub(crate) fn drop_cache(&mut self) {
        for sector in std::mem::take(&mut self.lost) {
            let bytes = self.durable.sector(sector);
            self.live.write(&bytes, sector * to_u64(SECTOR_SIZE));
        }
    }

    /// The power goes: each sector that was not synced is kept, dropped or torn, and so is the length kept or not.
    pub(crate) fn cut_power(&mut self, random: &mut Random) {
        if self.dirty.is_empty() && self.lost.is_empty() && self.live_len == self.durable_len {
            return;
        }
        for sector in std::mem::take(&mut self.dirty) {
            let (old, new) = (self.durable.sector(sector), self.live.sector(sector));
            let bytes = match random.below(8) {
                0..4 => new,
                4..7 => old,
                _ => torn(&old, &new, random),
            };
            self.durable.write(&bytes, sector * to_u64(SECTOR_SIZE));
        }
        if random.one_in(2) {
            self.durable_len = self.live_len;
        }
        self.lost.clear();
        self.live = self.durable.clone();
        self.live_len = self.durable_len;
    }

    /// Turns one bit over, in the cache and on the device.
    pub(crate) fn flip_bit(&mut self, offset: u64, bit: u32) {
        let mut byte = [0];
        if self.read(&mut byte, offset) {
            let flipped = byte.map(|byte| byte ^ 1_u8.rotate_left(bit));
            self.live.write(&flipped, offset);
            self.durable.write(&flipped, offset);
        }
    }

    /// Where the last page that was ever written to ends.
    pub(crate) fn written_end(&self) -> u64 {
        let pages = self.live.0.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        self.live_len.min(to_u64(pages * PAGE_SIZE))
    }

    /// Bytes that it takes.
    pub(crate) fn allocated(&self) -> u64 {
        self.live_len
    }
}

/// The front of one and the back of the other.
fn torn(old: &Sector, new: &Sector, random: &mut Random) -> Sector {
    let cut = to_usize(TEAR * random.below(to_u64(SECTOR_SIZE) / TEAR));
    let (front, back) = if random.one_in(2) { (new, old) } else { (old, new) };
    let mut bytes = *back;
    for (slot, byte) in bytes.iter_mut().zip(front).take(cut) {
        *slot = *byte;
    }
    bytes
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).expect("simulated files are small")
}

fn to_u64(number: usize) -> u64 {
    u64::try_from(number).expect("usize is at most 64 bits wide")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(image: &FileImage) -> Vec<u8> {
        let mut bytes = vec![0; to_usize(image.len())];
        assert!(image.read(&mut bytes, 0));
        bytes
    }

    #[test]
    fn what_is_synced_stays_and_the_rest_is_any_mixture() {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let mut image = FileImage::default();
            image.write(&[1; 1024], 0);
            image.sync();
            image.write(&[2; 1024], 0);
            image.cut_power(&mut Random::new(seed));
            let bytes = contents(&image);
            assert!(bytes.len() == 1024 && bytes.iter().all(|byte| matches!(byte, 1 | 2)));
            seen.insert((bytes[0], bytes[511], bytes[512], bytes[1023]));
        }
        assert!(seen.len() >= 12, "{seen:?}");
    }

    #[test]
    fn after_a_failed_sync_the_next_one_lies() {
        for seed in 0..50 {
            let mut image = FileImage::default();
            image.write(&[1; 4096], 0);
            image.sync();
            image.write(&[2; 4096], 0);
            image.fail_sync(FailedSync::Loses, &mut Random::new(seed));
            image.sync();
            image.cut_power(&mut Random::new(seed));
            assert!(contents(&image).contains(&1));
        }
    }

    #[test]
    fn the_length_is_kept_or_not_apart_from_the_bytes() {
        let lens: BTreeSet<u64> = (0..50)
            .map(|seed| {
                let mut image = FileImage::default();
                image.extend(4096);
                image.cut_power(&mut Random::new(seed));
                image.len()
            })
            .collect();
        assert_eq!(lens, BTreeSet::from([0, 4096]));
    }
}
