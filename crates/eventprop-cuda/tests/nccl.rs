//! NCCL between ranks that are threads, on the emulator's stand-in; without one, that it is missed by name.
#![cfg(feature = "nccl")]

use eventprop_cuda::Nccl;

#[cfg(not(simt_emulator))]
#[test]
fn what_is_missing_is_an_error() {
    if let Err(error) = Nccl::job_id() {
        let message = error.to_string();
        assert!(message.starts_with("backend cuda: no N"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[cfg(simt_emulator)]
#[test]
fn bytes_arrive_where_they_are_sent() {
    for ranks in 1..=4 {
        let id = Nccl::job_id().unwrap();
        std::thread::scope(|scope| {
            for rank in 0..ranks {
                scope.spawn(move || {
                    let nccl = Nccl::join(0, rank, ranks, id).unwrap();
                    for round in 0..20 {
                        talk(&nccl, rank, ranks, round);
                    }
                });
            }
        });
    }
}

/// Rank r sends 7 r + 3 s + round bytes to rank s, some none.
#[cfg(simt_emulator)]
fn talk(nccl: &Nccl, rank: usize, ranks: usize, round: usize) {
    let length = |from: usize, to: usize| (7 * from + 3 * to + round) % 5 * 100;
    let byte = |from: usize, to: usize| (31 * from + 17 * to + round) as u8;
    let (mut own, mut to) = (Vec::new(), Vec::new());
    for peer in 0..ranks {
        let start = own.len();
        own.resize(start + length(rank, peer), byte(rank, peer));
        to.push(start..own.len());
    }
    let given: Vec<_> = (0..ranks).map(|peer| length(peer, rank)).collect();
    let all = nccl.exchange(&own, to, &given).unwrap();
    let expected: Vec<u8> =
        (0..ranks).flat_map(|peer| vec![byte(peer, rank); length(peer, rank)]).collect();
    assert_eq!(all, expected);
}
