//! What the tests of the engine share.

use eventprop_cuda::DeviceInfo;

/// Calls `check` with the device and a number, once on a GPU, under every order of threads on the
/// emulator, or under the one that the environment variable SIMT_POLICY names. Without either it passes, unless the environment variable REQUIRE_GPU is set.
pub(crate) fn for_each_schedule(check: impl Fn(&DeviceInfo, u64)) {
    let device = match eventprop_cuda::probe(0) {
        Ok(device) => device,
        Err(error) if std::env::var_os("REQUIRE_GPU").is_none() => {
            println!("not run: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    println!("on {device}");
    #[cfg(simt_emulator)]
    for schedule in schedules() {
        eventprop_cuda::set_emulator_schedule(schedule);
        check(&device, schedule as u64);
    }
    #[cfg(not(simt_emulator))]
    check(&device, 0);
}

#[cfg(simt_emulator)]
fn schedules() -> Vec<i32> {
    match std::env::var("SIMT_POLICY").map(|schedule| schedule.parse()) {
        Ok(Ok(schedule)) => vec![schedule],
        _ => vec![0, 1, 2],
    }
}
