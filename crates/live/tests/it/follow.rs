//! Every way in which a file is replaced is noticed.

use std::{fs, time::Duration};

use crate::scene::{Scene, policy};

const OFTEN: Duration = Duration::from_millis(2);

#[test]
fn a_plain_write_and_an_editors_rename_are_noticed() {
    let scene = Scene::new();
    let _watcher = scene.live.watch(OFTEN).unwrap();
    scene.write(&policy("written"));
    scene.wait(|status| status.applied == 1);
    assert_eq!(scene.decision(), "written");
    let draft = scene.folder.path().join(".config.yaml.swp");
    fs::write(&draft, policy("renamed")).unwrap();
    fs::rename(&draft, &scene.file).unwrap();
    scene.wait(|status| status.applied == 2);
    assert_eq!(scene.decision(), "renamed");
}

#[test]
fn a_file_that_is_removed_and_comes_back_is_noticed() {
    let scene = Scene::new();
    let _watcher = scene.live.watch(OFTEN).unwrap();
    fs::remove_file(&scene.file).unwrap();
    scene.wait(|status| status.refused == 1);
    scene.write(&policy("back"));
    scene.wait(|status| status.applied == 1 && status.current);
    assert_eq!(scene.decision(), "back");
}

#[test]
fn a_file_that_was_gone_for_a_while_is_current_again_when_it_says_what_it_said() {
    let scene = Scene::new();
    let _watcher = scene.live.watch(OFTEN).unwrap();
    fs::remove_file(&scene.file).unwrap();
    scene.wait(|status| status.refused == 1 && !status.current);
    scene.write(&policy("first"));
    scene.wait(|status| status.applied == 1 && status.current);
    assert_eq!(scene.metric("vsr_config_current"), "1");
}

#[cfg(unix)]
#[test]
fn the_swap_of_a_config_maps_link_is_noticed() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, decision) in [("..2026_01", "first"), ("..2026_02", "second")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("config.yaml"), policy(decision)).unwrap();
    }
    symlink("..2026_01", at("..data")).unwrap();
    symlink("..data/config.yaml", at("config.yaml")).unwrap();
    let file = at("config.yaml");
    let scene = Scene::on(folder, file);
    let _watcher = scene.live.watch(OFTEN).unwrap();
    let at = |name: &str| scene.folder.path().join(name);
    symlink("..2026_02", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    scene.wait(|status| status.applied == 1);
    assert_eq!(scene.decision(), "second");
}

#[test]
fn what_changed_before_the_watch_began_is_noticed_and_a_signal_reads_at_once() {
    let scene = Scene::new();
    scene.write(&policy("meanwhile"));
    let watcher = scene.live.watch(OFTEN).unwrap();
    scene.wait(|status| status.applied == 1);
    assert_eq!(scene.decision(), "meanwhile");
    drop(watcher);
    let watcher = scene.live.watch(Duration::from_secs(3600)).unwrap();
    scene.write(&policy("signalled"));
    watcher.reload();
    scene.wait(|status| status.applied == 2);
    assert_eq!(scene.decision(), "signalled");
}
