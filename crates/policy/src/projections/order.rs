//! The order in which scores are evaluated: each after what it depends on.

/// How far the walk has come with a score.
#[derive(Clone, Copy, PartialEq)]
enum Progress {
    Ahead,
    Open,
    Done,
}

/// Sorts scores so that each comes after its dependencies, otherwise in the order declared.
/// `dependencies[i]` are the scores that score `i` reads. Each cycle found is reported to `on_cycle`
/// as the scores along it, the first repeated at the end; its last step is then ignored.
pub(crate) fn evaluation_order(
    dependencies: &[Vec<usize>],
    mut on_cycle: impl FnMut(&[usize]),
) -> Vec<usize> {
    let mut progress = vec![Progress::Ahead; dependencies.len()];
    let mut order = Vec::with_capacity(dependencies.len());
    for start in 0..dependencies.len() {
        if progress[start] != Progress::Ahead {
            continue;
        }
        progress[start] = Progress::Open;
        // The scores being walked through, each with the number of dependencies seen.
        let mut trail = vec![(start, 0)];
        while let Some((score, seen)) = trail.last_mut() {
            let Some(next) = dependencies[*score].get(*seen).copied() else {
                progress[*score] = Progress::Done;
                order.push(*score);
                trail.pop();
                continue;
            };
            *seen += 1;
            match progress[next] {
                Progress::Done => {}
                Progress::Ahead => {
                    progress[next] = Progress::Open;
                    trail.push((next, 0));
                }
                Progress::Open => {
                    let around = trail.iter().map(|(score, _)| *score).skip_while(|score| *score != next);
                    on_cycle(&around.chain([next]).collect::<Vec<usize>>());
                }
            }
        }
    }
    order
}
