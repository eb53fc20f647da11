//! Changes that are asked for.

use std::fs;

use serde_json::json;
use vsr_config::Edit;
use vsr_live::{ChangeError, Reload};

use crate::scene::{Scene, policy};

#[test]
fn versions_are_bounded_and_the_oldest_give_way() {
    let scene = Scene::new();
    for number in 0..25 {
        let changed = scene.live.change(&Edit::Text(policy(&format!("decision-{number}"))), None).unwrap();
        assert!(changed.version.is_some() && changed.warnings.is_empty(), "{changed:?}");
    }
    let versions = scene.live.versions().unwrap();
    assert_eq!(versions.len(), 20);
    let shown = |version: &str| scene.live.show_version(version).unwrap().content;
    assert_eq!(shown(&versions[0].version)["routing"]["decisions"][0]["name"], "decision-23");
    assert_eq!(shown(&versions[19].version)["routing"]["decisions"][0]["name"], "decision-4");
    assert_eq!(versions[19].timestamp, "2023-11-14T22:13:20Z");
}

#[test]
fn a_change_that_changes_nothing_keeps_no_version() {
    let scene = Scene::new();
    let changed = scene.live.change(&Edit::Text(policy("first")), None).unwrap();
    assert_eq!(changed.version, None);
    assert_eq!(scene.live.versions().unwrap(), []);
}

#[test]
fn what_the_router_wrote_itself_is_no_change_of_the_file() {
    let scene = Scene::new();
    scene.live.change(&Edit::Text(policy("second")), None).unwrap();
    assert_eq!(scene.live.reload(vsr_live::Cause::File), Reload::Unchanged);
    assert_eq!(scene.decision(), "second");
}

#[cfg(unix)]
#[test]
fn the_file_behind_a_link_is_replaced_and_versions_are_their_owners() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real.yaml"), folder.path().join("config.yaml"));
    fs::write(&real, policy("first")).unwrap();
    symlink("real.yaml", &link).unwrap();
    let scene = Scene::on(folder, link.clone());
    scene.live.change(&Edit::Merge(json!({ "listeners": null })), None).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert!(!fs::read_to_string(real).unwrap().contains("listeners"));
    let versions = scene.folder.path().join("state/versions");
    let kept = fs::read_dir(&versions).unwrap().next().unwrap().unwrap();
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(versions).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_file_with_errors_is_replaced_only_as_a_whole() {
    let scene = Scene::new();
    scene.write("listeners: 7\n");
    assert!(matches!(scene.live.show(), Err(ChangeError::Broken { .. })));
    let merge = scene.live.change(&Edit::Merge(json!({ "listeners": null })), None);
    assert!(matches!(merge, Err(ChangeError::Broken { .. })), "{merge:?}");
    scene.live.change(&Edit::Text(policy("second")), None).unwrap();
    assert_eq!(scene.decision(), "second");
}
