use std::fs;
use std::os::unix::fs::PermissionsExt;

use dragoman_model::disk::Disk;
use dragoman_seal::StdDisk;

use crate::support::error;

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn files_are_private_and_behave_as_the_seam_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("a/b");
    let disk = StdDisk::open(&root).expect("made");
    assert_eq!(disk.list("keys").expect("a missing folder is empty"), Vec::<String>::new());
    assert!(!disk.exists("keys/one").expect("asked"));
    let file = disk.open("keys/one").expect("made");
    disk.sync_dir("keys").expect("synced");
    assert_eq!((mode(&root), mode(&root.join("keys")), mode(&root.join("keys/one"))), (0o700, 0o700, 0o600));
    file.write_at(b"abcdef", 2).expect("written");
    file.sync().expect("synced");
    let mut buffer = [9; 10];
    assert_eq!(file.read_at(&mut buffer, 1).expect("read"), 7);
    assert_eq!(&buffer, b"\0abcdef\x09\x09\x09");
    assert_eq!(file.read_at(&mut buffer, 100).expect("read beyond the end"), 0);
    file.set_len(4).expect("cut");
    assert_eq!(file.len().expect("asked"), 4);
    disk.open("keys/three").expect("made");
    disk.rename("keys/one", "keys/two").expect("renamed");
    fs::create_dir(root.join("keys/folder")).expect("made");
    assert_eq!(disk.list("keys").expect("listed"), ["three", "two"]);
    disk.remove("keys/two").expect("removed");
    assert!(!disk.exists("keys/two").expect("asked"));
}

#[test]
fn paths_and_links_that_leave_the_folder_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let outside = folder.path().join("outside");
    fs::write(&outside, "theirs").expect("written");
    let disk = StdDisk::open(folder.path().join("data")).expect("made");
    for path in ["../outside", "/etc/hostname", "a/../../outside"] {
        assert!(error(disk.open(path)).to_string().contains("leaves the data folder"), "{path}");
        assert!(disk.remove(path).is_err() && disk.exists(path).is_err());
    }
    std::os::unix::fs::symlink(&outside, folder.path().join("data/link")).expect("linked");
    assert!(disk.open("link").is_err());
}
