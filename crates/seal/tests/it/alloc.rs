//! Freed memory holds nothing. The kernel is asked what is at an address after it was freed, because reading
//! it from here would be undefined.

use std::os::unix::fs::FileExt;

/// How many bytes of the canary's kind are left at an address. Each test has its own canary, because they
/// take each other's freed blocks.
fn left_at(canary: u8, address: usize, len: usize) -> usize {
    let memory = std::fs::File::open("/proc/self/mem").expect("the memory of this process");
    let mut page = [0; 4096];
    let mut left = 0;
    for start in (0..len).step_by(page.len()) {
        let part = &mut page[..(len - start).min(4096)];
        // A block that went back to the system as a whole leaves nothing to read.
        if memory.read_exact_at(part, (address + start) as u64).is_ok() {
            left += part.iter().map(|byte| usize::from(*byte == canary)).sum::<usize>();
        }
    }
    left
}

/// The allocator links free blocks through their first bytes, and other tests may have taken the block again;
/// neither writes many bytes of the canary's kind.
fn assert_wiped(canary: u8, address: usize, len: usize) {
    let left = left_at(canary, address, len);
    assert!(left < 8 + len / 32, "{left} of {len} bytes are left");
}

fn filled(canary: u8, len: usize) -> Vec<u8> {
    let block = vec![canary; len];
    assert_eq!(left_at(canary, block.as_ptr().addr(), len), len, "the look at memory works");
    block
}

const SIZES: [usize; 7] = [64, 100, 1000, 4096, 70_000, 1_000_000, 40_000_000];

#[test]
fn freed_blocks_are_zeroed() {
    const CANARY: u8 = 0xa5;
    for len in SIZES {
        let block = filled(CANARY, len);
        let address = block.as_ptr().addr();
        drop(block);
        assert_wiped(CANARY, address, len);
    }
}

#[test]
fn blocks_that_move_leave_no_copy() {
    const CANARY: u8 = 0xb6;
    for len in SIZES {
        let mut block = filled(CANARY, len);
        let old = block.as_ptr().addr();
        block.reserve_exact(len * 3);
        assert_ne!(block.as_ptr().addr(), old, "the allocator always moves what grows");
        assert!(block.iter().all(|byte| *byte == CANARY));
        assert_wiped(CANARY, old, len);
    }
}

#[test]
fn blocks_that_shrink_give_up_no_bytes() {
    const CANARY: u8 = 0xc7;
    for len in SIZES {
        // A little: in place. A lot: moved.
        for keep in [len - len / 4, len / 10] {
            let mut block = filled(CANARY, len);
            let old = block.as_ptr().addr();
            block.truncate(keep);
            block.shrink_to_fit();
            assert!(block.iter().all(|byte| *byte == CANARY) && block.len() == keep);
            if block.as_ptr().addr() == old {
                assert_eq!(left_at(CANARY, old + keep, len - keep), 0);
            } else {
                assert_wiped(CANARY, old, len);
            }
        }
    }
}

#[test]
fn zeroed_and_aligned_blocks_are_what_they_say() {
    const CANARY: u8 = 0xd9;
    #[repr(align(4096))]
    struct Page(#[expect(dead_code, reason = "it only has to be there")] [u8; 4096]);
    for _ in 0..100 {
        assert!(vec![0_u8; 10_000].iter().all(|byte| *byte == 0));
        let page = Box::new(Page([CANARY; 4096]));
        let address = (&raw const *page).addr();
        assert_eq!(address % 4096, 0);
        drop(page);
        assert_wiped(CANARY, address, 4096);
    }
}
