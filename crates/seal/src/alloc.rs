//! A global allocator that leaves no freed memory readable.
//!
//! Content passes through buffers of the HTTP stack, the TLS stack and the JSON parser that know nothing of
//! secrets. Zeroing on free is the one place that reaches all of them.

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

/// mimalloc, with every block overwritten before it is given back, and no stale copy left when a block moves.
///
/// Only the size that was asked for is overwritten; the slack of a size class never held anything, because
/// nobody was given it. Install it in the binary:
///
/// ```ignore
/// #[global_allocator]
/// static GLOBAL: dragoman_seal::ZeroingAlloc = dragoman_seal::ZeroingAlloc::new();
/// ```
pub struct ZeroingAlloc {
    inner: MiMalloc,
}

impl ZeroingAlloc {
    /// The allocator; it holds no state of its own.
    pub const fn new() -> Self {
        Self { inner: MiMalloc }
    }
}

impl Default for ZeroingAlloc {
    fn default() -> Self {
        Self::new()
    }
}

/// Overwrites `len` bytes at `at` with zeroes, in a way that the optimiser has to keep.
///
/// # Safety
///
/// `at` is valid for writes of `len` bytes and nobody else reads or writes them meanwhile.
#[expect(unsafe_code, reason = "raw memory of the allocator")]
#[inline]
pub(crate) unsafe fn wipe(at: *mut u8, len: usize) {
    // SAFETY: the caller vouches for `at` and `len`.
    unsafe { at.write_bytes(0, len) };
    // The write is dead as far as the optimiser can see; these make the memory observable once more.
    std::hint::black_box(at);
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}

// SAFETY: every block comes from and returns to mimalloc with an equivalent layout (mimalloc frees by address
// and needs no size); `wipe` touches only the block's own bytes while the caller still owns them; `realloc`
// keeps the first min(old, new) bytes and never frees before the copy is complete.
#[expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]
unsafe impl GlobalAlloc for ZeroingAlloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the same as mimalloc's.
        unsafe { self.inner.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the same as mimalloc's.
        unsafe { self.inner.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the block is the caller's until `dealloc` returns, and `layout.size()` bytes long.
        unsafe {
            wipe(ptr, layout.size());
            self.inner.dealloc(ptr, layout);
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let old_size = layout.size();
        if new_size <= old_size && new_size >= old_size / 2 {
            // Shrinking a little stays in place: only the part given up has to go.
            // SAFETY: `new_size..old_size` lies inside the caller's block; mimalloc frees by address, so that
            // the smaller layout that the caller uses from now on is as good as the old one.
            unsafe { wipe(ptr.add(new_size), old_size - new_size) };
            return ptr;
        }
        // mimalloc's own realloc frees the old block unwiped when it moves, so the move is made here.
        // SAFETY: the caller guarantees that `new_size`, rounded up to the alignment, does not overflow
        // isize, and is not zero; the alignment is that of a valid layout.
        let new = unsafe { self.inner.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !new.is_null() {
            // SAFETY: both blocks are valid for the copied length and distinct; the old one is still the
            // caller's.
            unsafe {
                std::ptr::copy_nonoverlapping(ptr, new, old_size.min(new_size));
                self.dealloc(ptr, layout);
            }
        }
        new
    }
}
