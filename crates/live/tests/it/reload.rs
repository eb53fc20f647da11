//! What is put in force, and what is refused.

use std::{fs, sync::Arc};

use vsr_live::{Cause, Change, Reload};

use crate::scene::{Scene, policy};

fn refusal(reload: Reload) -> (String, Vec<String>) {
    match reload {
        Reload::Refused { message, problems } => {
            (message, problems.iter().map(ToString::to_string).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_configuration_serves_and_who_began_before_keeps_the_old_one() {
    let scene = Scene::new();
    let before = scene.router.snapshot();
    scene.write(&policy("second"));
    let Reload::Applied { hash, restart_needed } = scene.live.reload(Cause::File) else { panic!() };
    assert_eq!((scene.decision().as_str(), restart_needed), ("second", Vec::new()));
    assert_eq!(*scene.router.snapshot().hash(), hash.as_str().into());
    assert_eq!(before.config().routing.decisions[0].name, "first");
    let status = scene.live.status();
    assert!(status.current && status.hash == hash && status.applied == 1, "{status:?}");
    assert_eq!(scene.metric("vsr_config_reload_total{result=\"applied\"}"), "1");
    assert_eq!(scene.metric("vsr_config_last_success_timestamp_seconds"), "1700000000");
    assert_eq!(scene.metric(&format!("vsr_snapshot_info{{hash=\"{hash}\"}}")), "1");
}

#[test]
fn a_file_that_says_the_same_is_left_alone_but_for_a_signal() {
    let scene = Scene::new();
    let before = scene.router.snapshot();
    assert_eq!(scene.live.reload(Cause::File), Reload::Unchanged);
    assert!(Arc::ptr_eq(&before, &scene.router.snapshot()));
    assert!(matches!(scene.live.reload(Cause::Signal), Reload::Applied { .. }));
    assert!(!Arc::ptr_eq(&before, &scene.router.snapshot()));
}

#[test]
fn an_invalid_file_keeps_the_old_configuration_and_every_problem_has_its_place() {
    let scene = Scene::new();
    let before = scene.router.snapshot();
    scene
        .write(&policy("second").replace("type: keyword", "type: keywort").replace("port: 8899", "port: no"));
    let (message, problems) = refusal(scene.live.reload(Cause::File));
    assert_eq!(message, "it has errors");
    let at = |line: u32| format!("config.yaml:{line}:");
    assert!(
        problems.iter().any(|problem| problem.contains(&at(2)) && problem.contains("port")),
        "{problems:?}"
    );
    assert!(problems.iter().any(|problem| problem.contains("keywort")), "{problems:?}");
    assert!(Arc::ptr_eq(&before, &scene.router.snapshot()));
    let status = scene.live.status();
    let last = status.last.unwrap();
    assert_eq!((status.current, status.refused, last.result), (false, 1, "refused"));
    assert_eq!((last.problems.len(), &status.hash[..]), (problems.len(), &**before.hash()));
    assert_eq!(scene.metric("vsr_config_reload_total{result=\"refused\"}"), "1");
    assert_eq!(scene.metric("vsr_config_current"), "0");
    assert_eq!(scene.live.reload(Cause::File), Reload::Unchanged, "it is refused once");

    scene.write(&policy("third"));
    assert!(matches!(scene.live.reload(Cause::File), Reload::Applied { .. }));
    assert_eq!(scene.metric("vsr_config_current"), "1");
    assert!(scene.live.status().current);
}

#[test]
fn an_empty_file_and_a_file_that_is_gone_are_refused() {
    let scene = Scene::new();
    scene.write(" \n");
    assert_eq!(refusal(scene.live.reload(Cause::File)).0, "it is empty");
    fs::remove_file(&scene.file).unwrap();
    let (message, _) = refusal(scene.live.reload(Cause::File));
    assert!(message.starts_with("it cannot be read: "), "{message}");
    assert_eq!(scene.decision(), "first");
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let scene = Scene::new();
    fs::remove_file(&scene.file).unwrap();
    mknodat(CWD, &scene.file, FileType::Fifo, Mode::RUSR, 0).unwrap();
    let (message, _) = refusal(scene.live.reload(Cause::File));
    assert_eq!(message, "it cannot be read: it is no regular file");
    fs::remove_file(&scene.file).unwrap();
    fs::create_dir(&scene.file).unwrap();
    assert!(refusal(scene.live.reload(Cause::Signal)).0.contains("it is no regular file"));
    assert_eq!(scene.decision(), "first");
}

#[test]
fn a_follower_that_cannot_follow_keeps_all_as_it_was() {
    let scene = Scene::new();
    let (sender, changes) = std::sync::mpsc::channel();
    scene.live.follow(Box::new(move |snapshot| {
        let name = snapshot.config().routing.decisions[0].name.clone();
        if name == "second" {
            return Err("`listeners[0]` is not to my liking".to_owned());
        }
        let sender = sender.clone();
        Ok(Change::new(move || sender.send(name).unwrap()))
    }));
    scene.write(&policy("second"));
    let (message, _) = refusal(scene.live.reload(Cause::File));
    assert_eq!(message, "`listeners[0]` is not to my liking");
    assert_eq!(scene.decision(), "first");
    scene.write(&policy("third"));
    assert!(matches!(scene.live.reload(Cause::File), Reload::Applied { .. }));
    assert_eq!(changes.try_iter().collect::<Vec<_>>(), ["third"]);
}

#[test]
fn what_is_bound_and_the_threads_need_a_restart_and_are_named_until_it_is_undone() {
    let scene = Scene::new();
    scene.live.follow(Box::new(|snapshot| {
        let is_moved = snapshot.listeners()[0].port == 8900;
        let keys = is_moved.then(|| "listeners[0].address".to_owned());
        Ok(Change::new(|| {}).but_for(keys.as_slice()))
    }));
    let moved = policy("second").replace("port: 8899", "port: 8900")
        + "global: {router: {worker_threads: 3, state_dir: elsewhere}, services: {api: {port: 1}}}\n";
    scene.write(&moved);
    let Reload::Applied { restart_needed, .. } = scene.live.reload(Cause::File) else { panic!() };
    let expected = [
        "listeners[0].address",
        "global.router.worker_threads",
        "global.router.state_dir",
        "global.services.api.port",
    ];
    assert_eq!(restart_needed, expected);
    assert_eq!(scene.decision(), "second");
    assert_eq!(scene.live.status().restart_needed, expected);
    assert_eq!(scene.metric("vsr_config_restart_needed"), "4");
    scene.write(&policy("third"));
    let Reload::Applied { restart_needed, .. } = scene.live.reload(Cause::File) else { panic!() };
    assert_eq!(restart_needed, Vec::<String>::new());
    assert_eq!(scene.metric("vsr_config_restart_needed"), "0");
}
