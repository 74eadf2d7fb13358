//! Lets the linker leave Node-API symbols to be found in the host process.

fn main() {
    napi_build::setup();
}
