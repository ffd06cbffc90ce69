//! Times the exchange of a gradient between ranks: `mpirun -n 2 collectives` prints a line of JSON a size.
//!
//! A gradient of as many bytes is scattered in slices, the sums are gathered again, and two small messages go
//! with it, as in a step of training. `seconds` is the median of many times, the mean over ranks.

use eventprop::{Collective, parallel::agree};
use eventprop_mpi::Job;
use std::time::Instant;

fn main() {
    let job = match Job::join() {
        Ok(job) => job,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
    };
    let mut world = job.world();
    let ranks = world.ranks();
    for bytes in (0..=12).map(|k| 64 << (k + k / 2)).filter(|&bytes| bytes <= 16 << 20) {
        let width = bytes / ranks;
        let counts = vec![width; ranks];
        let (own, mut given) = (vec![1_u8; width * ranks], vec![0_u8; width * ranks]);
        let times = (1 << 24) / bytes;
        let mut seconds: Vec<f64> = (0..times.clamp(20, 400))
            .map(|_| {
                let start = Instant::now();
                let moved = world
                    .all_to_all(&own, &counts, &mut given, &counts)
                    .and_then(|()| world.all_gather(&own[..width], &counts, &mut given));
                moved
                    .and_then(|()| agree(&mut world, Ok::<_, String>(())))
                    .and_then(|_| world.sum(&mut [0]))
                    .expect("MPI aborts itself");
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let mut median = [(seconds[seconds.len() / 2] * 1e9) as u64];
        world.sum(&mut median).expect("MPI aborts itself");
        if world.rank() == 0 {
            let seconds = median[0] as f64 / 1e9 / ranks as f64;
            println!(
                "{}",
                serde_json::json!({ "ranks": ranks, "bytes": bytes, "seconds": seconds })
            );
        }
    }
}
