//! Pictures.

use dragoman_model::{InstallationId, RemoteUser};
use dragoman_relay::AvatarLinks as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::rig::{PUBLIC, Rig};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn path(rig: &Rig, installation: &str, user: &str) -> String {
    let now_ms = dragoman_model::Clock::now_ms(rig.clock.as_ref());
    let link =
        rig.avatars.link(&InstallationId::from(installation), &RemoteUser::from(user), now_ms).unwrap();
    link.strip_prefix(PUBLIC).unwrap().to_owned()
}

/// A host of pictures that answers everything alike.
async fn host(tasks: &TaskTracker, body: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        // Ends with the runtime of the test.
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
        }
    });
    format!("http://{address}/picture")
}

#[tokio::test]
async fn a_persons_picture_is_passed_on_and_cached() {
    let rig = Rig::new().await;
    let (_, bridge) = rig.bridged().await;
    let installation = &bridge.members[0].installation;
    let picture = b"\x89PNG\r\n\x1a\nnot much of a picture";
    let hosts = TaskTracker::new();
    rig.alpha.state().avatar = Some(host(&hosts, picture).await);
    let got = rig.get(rig.door(), &path(&rig, installation, "U1")).await;
    assert_eq!((got.status, got.body.as_slice()), (200, &picture[..]));
    assert!(
        got.head.contains("content-type: image/png") && got.head.contains("max-age=86400"),
        "{}",
        got.head
    );
    assert!(got.head.contains("x-content-type-options: nosniff"));
    // Another host would not be asked: it is in memory.
    rig.alpha.state().avatar = Some("http://127.0.0.1:1/gone".to_owned());
    assert_eq!(rig.get(rig.door(), &path(&rig, installation, "U1")).await.body, picture);
    rig.end().await;
}

#[tokio::test]
async fn what_is_no_picture_becomes_initials() {
    let rig = Rig::new().await;
    let (_, bridge) = rig.bridged().await;
    let installation = &bridge.members[0].installation;
    let hosts = TaskTracker::new();
    let script = host(&hosts, b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>").await;
    for url in [None, Some(script), Some("http://127.0.0.1:1/x".to_owned()), Some("no address".to_owned())] {
        rig.alpha.state().avatar = url;
        let got = rig.get(rig.door(), &path(&rig, installation, "U2")).await;
        assert_eq!(got.status, 200);
        assert!(
            got.head.contains("content-type: image/png") && got.body.starts_with(b"\x89PNG"),
            "{}",
            got.head
        );
        assert!(png_reads(&got.body));
    }
    rig.end().await;
}

fn png_reads(bytes: &[u8]) -> bool {
    png::Decoder::new(std::io::Cursor::new(bytes)).read_info().is_ok_and(|reader| reader.info().width == 192)
}

#[tokio::test]
async fn links_that_are_not_ours_over_or_of_nobody_lead_nowhere() {
    let rig = Rig::new().await;
    let (_, bridge) = rig.bridged().await;
    let good = path(&rig, &bridge.members[0].installation, "U1");
    assert_eq!(rig.get(rig.door(), &good).await.status, 200);
    let mut changed = good.clone().into_bytes();
    let at = changed.len() - 3;
    changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    let unknown = path(&rig, "no-installation", "U1");
    for nowhere in ["/avatar/", "/avatar/U1", "/avatar/..%2f", &changed, &unknown] {
        let got = rig.get(rig.door(), nowhere).await;
        assert_eq!((got.status, got.body.len()), (404, 0), "{nowhere}");
    }
    rig.clock.advance(92 * DAY_MS);
    assert_eq!(rig.get(rig.door(), &good).await.status, 404);
    rig.end().await;
}
