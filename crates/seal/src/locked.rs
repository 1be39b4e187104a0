//! Memory for keys that is kept out of swap, core dumps and, where the kernel can, out of its own page
//! tables.
//!
//! Keys live in 32-byte places inside a few pages that are never given back. The pages are, in this order,
//! what the system grants: `memfd_secret(2)`, pages locked with `mlock(2)`, ordinary pages. All of them are
//! left out of core dumps. The last kind is used with one warning: a gateway that refuses to start protects
//! nobody.

use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes per place.
const PLACE: usize = 32;
/// Bytes asked of the kernel at a time: 512 keys.
const CHUNK: usize = 16 * 1024;

/// How well key memory is protected, from strongest to weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// `memfd_secret`: locked, and not mapped by the kernel itself.
    Secret,
    /// Locked into memory: never swapped.
    Locked,
    /// Ordinary memory: may reach swap.
    Plain,
}

/// One 32-byte place in protected memory; overwritten when dropped.
pub(crate) struct Place(NonNull<[u8; PLACE]>);

// SAFETY: a place is owned by exactly one `Place`, its pages are never unmapped, and access to the bytes
// follows Rust's borrows of the `Place`; nothing is tied to a thread.
#[expect(unsafe_code, reason = "raw pointer into pages that live as long as the process")]
unsafe impl Send for Place {}
// SAFETY: as above; a shared `Place` gives out shared references only.
#[expect(unsafe_code, reason = "raw pointer into pages that live as long as the process")]
unsafe impl Sync for Place {}

impl Place {
    /// A zeroed place.
    pub(crate) fn take() -> Self {
        let mut pool = pool();
        loop {
            if let Some(free) = pool.free.pop() {
                return free;
            }
            pool.grow();
        }
    }

    pub(crate) fn bytes(&self) -> &[u8; PLACE] {
        // SAFETY: the pages are initialised (the kernel's zeroes), aligned for bytes, never unmapped, and
        // this place belongs to `self` alone.
        #[expect(unsafe_code, reason = "protected memory is reached by pointer")]
        unsafe {
            self.0.as_ref()
        }
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8; PLACE] {
        // SAFETY: as in `bytes`; `&mut self` makes it exclusive.
        #[expect(unsafe_code, reason = "protected memory is reached by pointer")]
        unsafe {
            self.0.as_mut()
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(self.bytes_mut());
        pool().free.push(Self(self.0));
    }
}

/// The weakest protection that any key has had to take so far; strongest when none has been made.
pub fn protection() -> Protection {
    let mut pool = pool();
    if pool.weakest.is_none() {
        pool.grow();
    }
    pool.weakest.unwrap_or(Protection::Plain)
}

struct Pool {
    free: Vec<Place>,
    weakest: Option<Protection>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), weakest: None });

fn pool() -> MutexGuard<'static, Pool> {
    // A panic while the lock is held leaves the free list as valid as before.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    fn grow(&mut self) {
        let (start, protection) = pages();
        for index in 0..CHUNK / PLACE {
            // SAFETY: `start` is valid for CHUNK bytes and index * PLACE + PLACE <= CHUNK.
            #[expect(unsafe_code, reason = "dividing fresh pages into places")]
            let place = unsafe { start.add(index * PLACE) };
            self.free.push(Place(place.cast()));
        }
        if protection == Protection::Plain && self.weakest != Some(Protection::Plain) {
            tracing::warn!(
                "key memory cannot be locked and may reach swap; raise the memlock limit \
                 (systemd: LimitMEMLOCK=64M, shell: ulimit -l) or encrypt the swap"
            );
        }
        self.weakest = self.weakest.max(Some(protection));
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
fn pages() -> (NonNull<u8>, Protection) {
    match secret_pages() {
        Some(start) => (start, Protection::Secret),
        None => mapped_pages().unwrap_or_else(heap_pages),
    }
}

/// Ordinary pages, left out of dumps and locked where the limit allows it.
#[cfg(all(target_os = "linux", not(miri)))]
fn mapped_pages() -> Option<(NonNull<u8>, Protection)> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous};

    // SAFETY: a fresh private mapping at an address of the kernel's choice touches nothing that exists.
    #[expect(unsafe_code, reason = "mapping memory")]
    let mapped = unsafe {
        mmap_anonymous(std::ptr::null_mut(), CHUNK, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
    };
    let start = mapped.ok().and_then(NonNull::new)?;
    // SAFETY: the range was mapped above, CHUNK bytes long; neither call changes its contents.
    #[expect(unsafe_code, reason = "advice on memory mapped above")]
    let locked = unsafe {
        // A kernel without this advice still has core dumps switched off by `hygiene`.
        madvise(start.as_ptr(), CHUNK, Advice::LinuxDontDump).ok();
        mlock(start.as_ptr(), CHUNK).is_ok()
    };
    Some((start.cast(), if locked { Protection::Locked } else { Protection::Plain }))
}

#[cfg(all(target_os = "linux", not(miri)))]
fn secret_pages() -> Option<NonNull<u8>> {
    use std::os::fd::{FromRawFd, OwnedFd};

    use rustix::mm::{MapFlags, ProtFlags, mmap};

    // SAFETY: the call takes one flag word and returns a descriptor or -1; rustix does not offer it.
    #[expect(unsafe_code, reason = "a system call without a wrapper")]
    let raw = unsafe { libc::syscall(libc::SYS_memfd_secret, libc::c_long::from(libc::O_CLOEXEC)) };
    let raw = i32::try_from(raw).ok().filter(|fd| *fd >= 0)?;
    // SAFETY: the kernel has just given us this descriptor and nobody else knows it.
    #[expect(unsafe_code, reason = "taking ownership of a descriptor")]
    let fd = unsafe { OwnedFd::from_raw_fd(raw) };
    rustix::fs::ftruncate(&fd, CHUNK as u64).ok()?;
    // SAFETY: a fresh mapping at an address of the kernel's choice; the file is ours alone and keeps its
    // size. Such memory must be mapped shared; the descriptor may be closed, the mapping keeps the file.
    #[expect(unsafe_code, reason = "mapping memory")]
    let mapped = unsafe {
        mmap(std::ptr::null_mut(), CHUNK, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &fd, 0)
    };
    mapped.ok().and_then(NonNull::new).map(NonNull::cast)
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn pages() -> (NonNull<u8>, Protection) {
    heap_pages()
}

/// Memory from the ordinary allocator, kept for good.
fn heap_pages() -> (NonNull<u8>, Protection) {
    let leaked: &'static mut [u8] = Box::leak(vec![0_u8; CHUNK].into_boxed_slice());
    (NonNull::from(leaked).cast(), Protection::Plain)
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, PLACE, Place, pool};

    #[test]
    fn a_dropped_place_is_zeroed_and_used_again() {
        let mut place = Place::take();
        place.bytes_mut().fill(0xa5);
        let address = place.0;
        drop(place);
        let mut kept = Vec::new();
        loop {
            let again = Place::take();
            assert_eq!(again.bytes(), &[0; PLACE]);
            let found = again.0 == address;
            kept.push(again);
            if found {
                break;
            }
            assert!(kept.len() < 100_000, "the place never came back");
        }
    }

    #[test]
    fn places_do_not_overlap_and_the_pool_grows() {
        let mut places: Vec<_> = (0..CHUNK / PLACE * 2).map(|_| Place::take()).collect();
        for (index, place) in places.iter_mut().enumerate() {
            place.bytes_mut()[..8].copy_from_slice(&(index as u64).to_le_bytes());
        }
        for (index, place) in places.iter().enumerate() {
            assert_eq!(place.bytes()[..8], (index as u64).to_le_bytes());
        }
        assert!(pool().weakest.is_some());
    }

    #[cfg(not(miri))]
    #[test]
    fn every_kind_of_page_is_zeroed_and_holds_bytes() {
        let kinds =
            [super::secret_pages(), super::mapped_pages().map(|it| it.0), Some(super::heap_pages().0)];
        for start in kinds.into_iter().flatten() {
            for index in [0, CHUNK / PLACE - 1] {
                // SAFETY: index * PLACE + PLACE <= CHUNK.
                #[expect(unsafe_code, reason = "as when the pool grows")]
                let mut place = Place(unsafe { start.add(index * PLACE) }.cast());
                assert_eq!(place.bytes(), &[0; PLACE]);
                place.bytes_mut().fill(0x5a);
                assert_eq!(place.bytes(), &[0x5a; PLACE]);
            }
        }
    }

    #[test]
    fn places_move_between_threads() {
        let mut place = Place::take();
        place.bytes_mut()[0] = 7;
        let place = std::thread::spawn(move || {
            assert_eq!(place.bytes()[0], 7);
            place
        })
        .join()
        .expect("the thread ends well");
        assert_eq!(place.bytes()[0], 7);
    }
}
