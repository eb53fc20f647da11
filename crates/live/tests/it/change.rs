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

#[test]
fn what_others_write_while_a_change_is_checked_is_not_overwritten() {
    let scene = Scene::new();
    let file = scene.file.clone();
    scene.live.follow(Box::new(move |snapshot| {
        if snapshot.config().routing.decisions[0].name == "ours" {
            fs::write(&file, policy("theirs")).unwrap();
        }
        Ok(vsr_live::Change::new(|| {}))
    }));
    let changed = scene.live.change(&Edit::Text(policy("ours")), None);
    let Err(ChangeError::Stale { now }) = changed else { panic!("{changed:?}") };
    assert_eq!(now, scene.live.file_hash().unwrap());
    assert_eq!(fs::read_to_string(&scene.file).unwrap(), policy("theirs"));
    assert_eq!(scene.decision(), "first");
    assert_eq!(scene.live.versions().unwrap(), []);
}

#[test]
fn a_change_that_cannot_be_written_leaves_no_version_and_pushes_none_out() {
    let scene = Scene::new();
    for number in 0..20 {
        scene.live.change(&Edit::Text(policy(&format!("decision-{number}"))), None).unwrap();
    }
    let before = scene.live.versions().unwrap();
    // A folder stands where the draft would be written.
    let draft = scene.folder.path().join(format!(".config.yaml.{}.tmp", std::process::id()));
    fs::create_dir(&draft).unwrap();
    for _ in 0..3 {
        let changed = scene.live.change(&Edit::Text(policy("unwritable")), None);
        assert!(
            matches!(changed, Err(ChangeError::Storage { .. } | ChangeError::ReadOnly(_))),
            "{changed:?}"
        );
    }
    assert_eq!(scene.live.versions().unwrap(), before);
    assert_eq!(scene.decision(), "decision-19");
    assert!(scene.live.status().current);
}

#[test]
fn of_many_changes_made_for_the_same_state_one_wins() {
    let scene = Scene::new();
    let expected = scene.live.file_hash().unwrap();
    let won: Vec<String> = std::thread::scope(|scope| {
        let (live, expected) = (&scene.live, expected.as_str());
        let change = |number: usize| {
            move || {
                let name = format!("decision-{number}");
                loop {
                    match live.change(&Edit::Text(policy(&name)), Some(expected)) {
                        Ok(_) => return Some(name),
                        Err(ChangeError::Busy) => std::thread::yield_now(),
                        Err(ChangeError::Stale { .. }) => return None,
                        Err(other) => panic!("{other}"),
                    }
                }
            }
        };
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(change(number))).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(won, [scene.decision()]);
    assert_eq!(scene.live.versions().unwrap().len(), 1);
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
