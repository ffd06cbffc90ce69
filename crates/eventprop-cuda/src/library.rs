//! The shared libraries that are looked for when the program runs, or the emulator in their place.
//! Nothing of a missing library may be called: that would end the program.

#![allow(unsafe_code)]

/// Whether libcuda can be loaded.
pub(crate) fn driver_is_present() -> bool {
    #[cfg(simt_emulator)]
    load_emulator();
    // SAFETY: loads a library and runs its initialisers, as any later use of it would.
    unsafe { cudarc::driver::sys::is_culib_present() }
}

/// Whether libnvrtc can be loaded.
pub(crate) fn compiler_is_present() -> bool {
    // SAFETY: as above.
    unsafe { cudarc::nvrtc::sys::is_culib_present() }
}

/// Whether libnccl can be loaded. On the emulator: the stand-in that is built with it.
#[cfg(feature = "nccl")]
pub(crate) fn nccl_is_present() -> bool {
    #[cfg(simt_emulator)]
    load_nccl_stand_in();
    // SAFETY: as above.
    unsafe { cudarc::nccl::sys::is_culib_present() }
}

/// Loads the stand-in for NCCL under the name of the library, so that later loads find it.
#[cfg(all(simt_emulator, feature = "nccl"))]
fn load_nccl_stand_in() {
    static LOADED: std::sync::Once = std::sync::Once::new();
    LOADED.call_once(|| {
        driver_is_present();
        let library = std::path::Path::new(&emulator()).with_file_name("libnccl.so");
        // SAFETY: our own library, which has no initialisers. It stays loaded.
        match unsafe { libloading::Library::new(library) } {
            Ok(library) => std::mem::forget(library),
            Err(error) => panic!("the stand-in for NCCL cannot be loaded: {error}"),
        }
    });
}

/// The emulator's library: the one built with the crate, or the one that the environment names.
#[cfg(simt_emulator)]
fn emulator() -> std::ffi::OsString {
    std::env::var_os("SIMT_LIBRARY").unwrap_or_else(|| env!("SIMT_BUILT_LIBRARY").into())
}

/// Loads the emulator under the name of the driver's library, so that later loads find it.
#[cfg(simt_emulator)]
fn load_emulator() {
    static LOADED: std::sync::Once = std::sync::Once::new();
    LOADED.call_once(|| {
        // SAFETY: our own library; its initialisers fill a table of kernels. It stays loaded.
        match unsafe { libloading::Library::new(emulator()) } {
            Ok(library) => std::mem::forget(library),
            Err(error) => panic!("the emulator cannot be loaded: {error}"),
        }
    });
}

/// Sets the order in which the emulator runs threads: one warp after the other, each as far as it comes, from the first
/// on (0) or from the last (1); or all side by side, shuffled (2).
#[cfg(simt_emulator)]
pub fn set_emulator_schedule(schedule: i32) {
    driver_is_present();
    // SAFETY: the symbol is a function of this type in our own library, which is loaded.
    unsafe {
        let library = libloading::Library::new(emulator()).expect("it is loaded");
        let set =
            library.get::<unsafe extern "C" fn(i32)>(b"simt_set_policy").expect("it is there");
        set(schedule);
    }
}
