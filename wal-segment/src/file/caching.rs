//! [`Caching`]: what becomes of written bytes in the page cache.

use super::OpenFile;

/// What becomes of written bytes in the page cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Caching {
    /// They stay as long as the system likes.
    #[default]
    Keep,
    /// The system is asked to let go of them once they are synced: a log that nobody reads soon
    /// takes no memory from those who do.
    Drop,
}

/// Bytes between two calls: each costs as much as a small write.
const STEP: u64 = 1 << 20;

impl Caching {
    /// Lets go of what is synced behind `forgotten`, up to `synced`, and says how far it came.
    pub(super) fn behind(self, file: &dyn OpenFile, forgotten: u64, synced: u64) -> u64 {
        // A page that is half written stays, for the next write has to read it again otherwise.
        let end = synced / 4096 * 4096;
        if self == Self::Keep || end < forgotten + STEP {
            return forgotten;
        }
        file.forget(forgotten, end - forgotten);
        end
    }
}
