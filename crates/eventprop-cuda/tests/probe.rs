//! A machine without a driver is told so in one line.

#[cfg(not(simt_emulator))]
#[test]
fn a_missing_driver_is_an_error() {
    if std::env::var_os("REQUIRE_GPU").is_some() {
        let device = eventprop_cuda::probe(0).expect("a device is required");
        println!("{device}");
        return;
    }
    match eventprop_cuda::probe(0) {
        Ok(device) => println!("there is a device: {device}"),
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with("backend cuda: "), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }
}

#[cfg(simt_emulator)]
#[test]
fn the_emulator_is_a_device() {
    let device = eventprop_cuda::probe(0).unwrap();
    assert_eq!(device.name, "SIMT emulator");
    assert!(eventprop_cuda::probe(1).unwrap_err().to_string().contains("there is no device 1"));
}
