//! [`Image`]: the bytes of a whole disk, cheap to copy.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

const PAGE: usize = 4096;
type Page = [u8; PAGE];

/// The bytes of a disk. A clone shares all pages with its origin until one of the two is written.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    /// `None` is a page of zeros.
    pages: Vec<Option<Arc<Page>>>,
}

impl Image {
    /// A disk of zeros, `len` bytes rounded up to whole pages of 4096.
    pub fn zeros(len: u64) -> Self {
        let pages = usize::try_from(len.div_ceil(PAGE as u64)).unwrap_or(usize::MAX);
        Self { pages: vec![None; pages] }
    }

    /// The bytes of a file.
    pub fn load(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut image = Self::zeros(file.metadata()?.len());
        for place in &mut image.pages {
            let mut page = [0; PAGE];
            file.read_exact(&mut page)?;
            if page != [0; PAGE] {
                *place = Some(Arc::new(page));
            }
        }
        Ok(image)
    }

    /// Writes the bytes into a new file, with holes where there are zeros.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let mut file = File::create(path)?;
        file.set_len(self.len())?;
        for (number, page) in self.pages.iter().enumerate() {
            if let Some(page) = page {
                file.seek(SeekFrom::Start((number * PAGE) as u64))?;
                file.write_all(&page[..])?;
            }
        }
        Ok(())
    }

    /// The size of the disk in bytes.
    pub fn len(&self) -> u64 {
        (self.pages.len() * PAGE) as u64
    }

    /// Whether the disk has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Up to `len` bytes from `offset` on; fewer at the end of the disk.
    pub fn read(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len);
        for (number, from, to) in self.spans(offset, len) {
            match &self.pages[number] {
                Some(page) => bytes.extend_from_slice(&page[from..to]),
                None => bytes.resize(bytes.len() + to - from, 0),
            }
        }
        bytes
    }

    /// Puts `bytes` at `offset`; what lies behind the end of the disk is lost.
    pub fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        for (number, from, to) in self.spans(offset, bytes.len()) {
            let (now, later) = bytes.split_at(to - from);
            let page = self.pages[number].get_or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(page)[from..to].copy_from_slice(now);
            bytes = later;
        }
    }

    /// Makes `len` bytes from `offset` on zeros.
    pub fn clear(&mut self, offset: u64, len: u64) {
        for (number, from, to) in self.spans(offset, usize::try_from(len).unwrap_or(usize::MAX)) {
            let place = &mut self.pages[number];
            match place {
                Some(page) if to - from < PAGE => Arc::make_mut(page)[from..to].fill(0),
                _ if to - from < PAGE => {}
                _ => *place = None,
            }
        }
    }

    /// The parts of pages that make up these bytes: page, first byte, end.
    fn spans(
        &self,
        offset: u64,
        len: usize,
    ) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let disk = self.pages.len() * PAGE;
        let mut at = usize::try_from(offset).unwrap_or(usize::MAX).min(disk);
        let end = at.saturating_add(len).min(disk);
        std::iter::from_fn(move || {
            let (number, from) = (at / PAGE, at % PAGE);
            let to = PAGE.min(from + (end - at));
            at += to - from;
            (from < to).then_some((number, from, to))
        })
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = self.pages.iter().flatten().count() * PAGE;
        f.debug_struct("Image").field("len", &self.len()).field("non_zero", &written).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Image;

    #[test]
    fn bytes_are_read_as_they_were_written_across_pages() {
        let mut image = Image::zeros(16 * 1024);
        let bytes: Vec<u8> = (0..6000_u32).map(|n| n.to_le_bytes()[0] | 1).collect();
        image.write(3000, &bytes);
        assert_eq!(image.read(3000, 6000), bytes);
        assert_eq!(image.read(2999, 1), [0]);
        image.clear(3001, 5998);
        assert_eq!(image.read(3000, 6000), [&bytes[..1], &[0; 5998], &bytes[5999..]].concat());
    }

    #[test]
    fn a_copy_does_not_see_later_writes() {
        let mut image = Image::zeros(8192);
        image.write(0, b"old");
        let copy = image.clone();
        image.write(0, b"new");
        assert_eq!((copy.read(0, 3), image.read(0, 3)), (b"old".to_vec(), b"new".to_vec()));
    }

    #[test]
    fn the_end_of_the_disk_is_the_end() {
        let mut image = Image::zeros(5000);
        assert_eq!(image.len(), 8192);
        image.write(8190, b"abcd");
        assert_eq!(image.read(8190, 9), b"ab");
        assert!(image.read(9000, 1).is_empty());
        image.clear(8191, u64::MAX);
        assert_eq!(image.read(8190, 9), b"a\0");
    }

    #[test]
    fn a_saved_image_loads_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let mut image = Image::zeros(1 << 20);
        image.write(70_000, b"here");
        image.save(&path).unwrap();
        assert!(Image::load(&path).unwrap() == image);
    }
}
