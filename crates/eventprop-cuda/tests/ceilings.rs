//! What measures the device runs, and gives rates.

mod common;

use common::for_each_schedule;
use eventprop_cuda::{Ceilings, measure_ceilings};

#[test]
fn ceilings_are_measured() {
    for_each_schedule(|device, _| {
        let scale = if device.name == "SIMT emulator" { 1 } else { 1024 };
        let Ceilings { instructions_per_second, l2_bytes_per_second } =
            measure_ceilings(0, scale).unwrap();
        println!("{instructions_per_second:.3e} instructions/s, {l2_bytes_per_second:.3e} bytes/s");
        assert!(instructions_per_second.is_finite() && instructions_per_second > 0.0);
        assert!(l2_bytes_per_second.is_finite() && l2_bytes_per_second > 0.0);
    });
}
